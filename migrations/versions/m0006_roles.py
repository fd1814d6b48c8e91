"""Step 6: roles. What API keys may do, and how their hashes are made."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COMMENTS = (  # table, column, before, after
    ("deliveries", "kind", "decision, alert, key or tombstone", "decision, alert, key, role or tombstone"),
    (
        "deliveries",
        "key",
        "what must stay in order: the decision's key, the client and model, the hash",
        "what must stay in order: the decision's key, the client and model, the hash, the role",
    ),
    (
        "api_keys",
        "hash",
        "SHA-256 of the key, hexadecimal; the key itself is stored nowhere",
        "HMAC-SHA256 of the key under the pepper (none: SHA-256), hexadecimal; the key is nowhere",
    ),
)


def upgrade() -> None:
    op.create_table(
        "roles",
        sa.Column("name", sa.Text(), primary_key=True, comment="what keys and tokens call it"),
        sa.Column(
            "models", ARRAY(sa.Text()), nullable=False, comment="names of models, or patterns with *, ? and [abc]"
        ),
        sa.Column("operations", ARRAY(sa.Text()), nullable=False, comment="predict (ask), metadata (look)"),
        sa.Column("day", sa.BigInteger(), comment="rows a client may ask in a day (UTC); null: says nothing of it"),
        sa.Column("month", sa.BigInteger(), comment="rows a client may ask in a month (UTC); null: says nothing of it"),
        sa.Column(
            "changed",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment="when it was last written",
        ),
        sa.Column("who", sa.Text(), nullable=False, comment="who wrote it"),
        comment="Roles: what API keys and tokens may do at gateways.",
    )
    for table, column, before, after in COMMENTS:
        op.alter_column(table, column, comment=after, existing_comment=before)


def downgrade() -> None:
    for table, column, before, after in COMMENTS:
        op.alter_column(table, column, comment=before, existing_comment=after)
    op.drop_table("roles")
