"""Step 19: snapshots come compressed, so Postgres no longer tries: that was two thirds of its work at one."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE snapshots ALTER COLUMN data SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.execute("ALTER TABLE snapshots ALTER COLUMN data SET STORAGE EXTENDED")
