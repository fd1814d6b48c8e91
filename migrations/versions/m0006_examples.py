"""Step 6: examples. Which queries a reading rests on, so that a person can look at them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

COMMENT = (
    "its strongest queries in words, and each with number, time, label and id; null: written before there were any"
)


def upgrade() -> None:
    op.add_column("evidence", sa.Column("examples", JSONB(), nullable=True, comment=COMMENT))


def downgrade() -> None:
    op.drop_column("evidence", "examples")
