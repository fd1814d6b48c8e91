"""Step 11: one alert an episode. Who was told of it, and in which plain words, so that all of them hear its end."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COMMENTS = (  # table, column, before, after
    (
        "deliveries",
        "channel",
        "where to: topic, keys, push:NAME, webhook:NAME",
        "where to: topic, keys, or kind and name: push:NAME, webhook:NAME, slack:NAME, ...",
    ),
    (
        "deliveries",
        "outcome",
        "delivered or given-up; null: still owed",
        "delivered, given-up or replaced (a newer alert of the same episode says more); null: still owed",
    ),
)

WHO_WAS_TOLD = """
    UPDATE episodes SET told = said.channels
    FROM (
        SELECT split_part(subject, ':', 2) AS episode, jsonb_agg(DISTINCT channel) AS channels
        FROM deliveries WHERE kind = 'alert' GROUP BY 1
    ) AS said
    WHERE said.episode = episodes.id::text AND alerted <> 'resolved'
"""


def upgrade() -> None:
    op.add_column(
        "episodes",
        sa.Column("told", JSONB(), nullable=False, server_default="[]", comment="channels that are to hear its end"),
    )
    op.add_column("episodes", sa.Column("plain", sa.Text(), comment="the evidence in plain words; null: never told"))
    op.execute(WHO_WAS_TOLD)
    for table, column, before, after in COMMENTS:
        op.alter_column(table, column, comment=after, existing_comment=before)


def downgrade() -> None:
    for table, column, before, after in COMMENTS:
        op.alter_column(table, column, comment=before, existing_comment=after)
    op.execute("UPDATE deliveries SET outcome = 'delivered' WHERE outcome = 'replaced'")
    op.drop_column("episodes", "plain")
    op.drop_column("episodes", "told")
