"""Step 17: sessions of the console."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TEXT = sa.Text()
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sessions",
        Column("hash", TEXT, nullable=False, comment="SHA-256 of what the cookie holds, hexadecimal; that is nowhere"),
        Column("key", TEXT, nullable=False, comment="api_keys.hash of the key that was logged in with"),
        Column("started", TIME, nullable=False, server_default=sa.text("now()"), comment="when that was"),
        Column("ends", TIME, nullable=False, comment="when it ends by itself"),
        sa.PrimaryKeyConstraint("hash", name="pk_sessions"),
        comment="Who is logged in at the console. Whoever logs out is no longer here.",
    )
    op.create_index("ix_sessions_key", "sessions", ["key"], unique=False)


def downgrade() -> None:
    op.drop_table("sessions")
