"""Step 16: what is asked of all clients at once is found by an index, however many stand clear."""

import sqlalchemy as sa
from alembic import op

from migrations.versions.m0014_systems_views import MODEL_OVERVIEW
from migrations.views import View, create, drop, replace

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SUSPECTS = """
CREATE VIEW suspects AS
SELECT client, model, tenant, standing, since, score, leakage, queries, episode, action, shadow, reason, verdict,
       population, policy
FROM standings
WHERE standing <> 'clear'
"""
# Who stands clear is most of them, and not counted.
MODEL_OVERVIEW_OF_SUSPECTS = MODEL_OVERVIEW.replace(
    "FROM standings GROUP BY model", "FROM standings WHERE standing <> 'clear' GROUP BY model"
)
VIEWS = {
    "suspects": View(
        SUSPECTS,
        "v1. Everyone who does not stand clear now, as of their latest verdict.",
        {
            "client": "who",
            "model": "with which model",
            "tenant": "the client's tenant as last stated; null: never stated",
            "standing": "watched, suspected or confirmed",
            "since": "event time of the latest verdict",
            "score": "score of the latest verdict",
            "leakage": "leakage at the latest verdict; null: not enough known",
            "queries": "readable queries of this client at the latest verdict",
            "episode": "1, 2, ... for each client and model",
            "action": "what the policy answers this standing with; see active_decisions for what is in force",
            "shadow": "true: that answer is not enforced",
            "reason": "why, in one sentence",
            "verdict": "id of the latest verdict",
            "population": "version of the population judged against",
            "policy": "version of the policy in force then",
        },
    ),
}


def upgrade() -> None:
    op.create_index(
        "ix_standings_suspects", "standings", ["model", "standing"], postgresql_where=sa.text("standing <> 'clear'")
    )
    op.create_index("ix_episodes_open", "episodes", ["model", "opened"], postgresql_where=sa.text("closed IS NULL"))
    op.create_index("ix_episodes_opened", "episodes", ["opened", "id"])
    replace(MODEL_OVERVIEW_OF_SUSPECTS)
    create(VIEWS)


def downgrade() -> None:
    drop(VIEWS)
    replace(MODEL_OVERVIEW)
    op.drop_index("ix_episodes_opened", "episodes")
    op.drop_index("ix_episodes_open", "episodes")
    op.drop_index("ix_standings_suspects", "standings")
