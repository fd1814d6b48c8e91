"""Step 5: examples. Which queries a reading rests on, and what a used up budget of leakage is called."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COMMENT = (
    "its strongest queries in words, and each with number, time, label and id; null: written before there were any"
)
COMMENTS = (  # table, column, before, after
    ("verdicts", "cause", "evidence, expiry, lift or label", "evidence, budget, expiry, lift or label"),
    (
        "episodes",
        "alerted",
        "the latest alert sent: suspected, confirmed or resolved; null: none yet",
        "the latest alert sent: budget, suspected, confirmed or resolved; null: none yet",
    ),
)


def upgrade() -> None:
    op.add_column("evidence", sa.Column("examples", JSONB(), nullable=True, comment=COMMENT))
    for table, column, before, after in COMMENTS:
        op.alter_column(table, column, comment=after, existing_comment=before)


def downgrade() -> None:
    for table, column, before, after in COMMENTS:
        op.alter_column(table, column, comment=before, existing_comment=after)
    op.drop_column("evidence", "examples")
