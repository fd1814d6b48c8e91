"""Step 9: an index of the deliveries that were given up: they are counted and sent again without a long search."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_deliveries_given_up",
        "deliveries",
        ["channel", "id"],
        postgresql_where=sa.text("outcome = 'given-up'"),
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_given_up", "deliveries")
