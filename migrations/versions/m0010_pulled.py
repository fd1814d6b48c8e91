"""Step 10: decisions that are pulled. Which transaction wrote each, and how far each bouncer has been told."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KIND = "client (asks at a gateway) or bouncer (asks the decision API)"
KIND_TOO = "client (asks at a gateway), bouncer (pulls decisions) or api (asks the REST API)"


def upgrade() -> None:
    op.add_column(
        "decisions",
        sa.Column(
            "xact",
            sa.BigInteger(),
            server_default=sa.text("pg_current_xact_id()::text::bigint"),
            nullable=False,
            comment="the transaction that wrote it: by it is known what a bouncer has not been told of",
        ),
    )
    op.create_index("ix_decisions_xact", "decisions", ["xact"])
    op.create_index("ix_snapshots_tenant", "snapshots", ["tenant"])
    op.create_table(
        "bouncers",
        sa.Column("key", sa.Text(), comment="api_keys.hash of the key it pulls with"),
        sa.Column("address", sa.Text(), comment="where it pulls from"),
        sa.Column("seen", sa.Text(), nullable=False, comment="the transactions it was told of twice, as pg_snapshot"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="when those were all that had committed"),
        sa.Column("next_seen", sa.Text(), comment="the transactions it was told of once; null: the same"),
        sa.Column("next_at", sa.DateTime(timezone=True), comment="when those were all that had committed"),
        sa.Column(
            "pulled",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
            comment="when it last pulled",
        ),
        sa.Column("agent", sa.Text(), nullable=False, comment="what it calls itself: its User-Agent"),
        sa.PrimaryKeyConstraint("key", "address", name="pk_bouncers"),
        comment="How far each bouncer has been told of the decisions, by key and address.",
    )
    op.alter_column("api_keys", "kind", comment=KIND_TOO, existing_comment=KIND)


def downgrade() -> None:
    op.alter_column("api_keys", "kind", comment=KIND, existing_comment=KIND_TOO)
    op.drop_table("bouncers")
    op.drop_index("ix_snapshots_tenant", "snapshots")
    op.drop_index("ix_decisions_xact", "decisions")
    op.drop_column("decisions", "xact")
