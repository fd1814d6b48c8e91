"""Step 2: what was decided, what is owed to whom, and what people said and did."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    _allowlist()
    _api_keys()
    _audit_log()
    _decision_heads()
    _decisions()
    _deliveries()
    _feedback()


def downgrade() -> None:
    op.drop_table("feedback")
    op.drop_table("deliveries")
    op.drop_table("decisions")
    op.drop_table("decision_heads")
    op.drop_table("audit_log")
    op.drop_table("api_keys")
    op.drop_table("allowlist")


def _allowlist() -> None:
    op.create_table(
        "allowlist",
        sa.Column("scope", sa.Text(), nullable=False, comment="client_id, tenant or ip"),
        sa.Column("value", sa.Text(), nullable=False, comment="which client, tenant or address"),
        sa.Column("model", sa.Text(), nullable=False, comment="which model; *: every model"),
        sa.Column("until", TIME, nullable=False, comment="when the entry ends"),
        sa.Column("why", sa.Text(), nullable=False, comment="in the person's words"),
        sa.Column("who", sa.Text(), nullable=False, comment="who added it"),
        sa.Column("added", TIME, server_default=NOW, nullable=False, comment="when"),
        sa.PrimaryKeyConstraint("scope", "value", "model", name="pk_allowlist"),
        comment="Who is never acted against. Checked when a decision is written.",
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column(
            "hash",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the key, hexadecimal; the key itself is stored nowhere",
        ),
        sa.Column("prefix", sa.Text(), nullable=False, comment="the key's first eight characters, to recognise it by"),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="client (asks at a gateway) or bouncer (asks the decision API)"
        ),
        sa.Column("client", sa.Text(), nullable=False, comment="the client or bouncer it identifies"),
        sa.Column("tenant", sa.Text(), nullable=True, comment="the client's tenant; null: none"),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False, comment="what it may do"),
        sa.Column("expires", TIME, nullable=True, comment="when it ends; null: never"),
        sa.Column("revoked", TIME, nullable=True, comment="when it was revoked; null: it was not"),
        sa.Column("added", TIME, server_default=NOW, nullable=False, comment="when it was made"),
        sa.Column("who", sa.Text(), nullable=False, comment="who made it"),
        sa.PrimaryKeyConstraint("hash", name="pk_api_keys"),
        comment="API keys, hashed.",
    )
    op.create_index("ix_api_keys_prefix", "api_keys", ["prefix"])


def _audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column(
            "id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="in the order in which it was done"
        ),
        sa.Column("at", TIME, server_default=NOW, nullable=False, comment="when"),
        sa.Column("who", sa.Text(), nullable=False, comment="who did it"),
        sa.Column(
            "what",
            sa.Text(),
            nullable=False,
            comment="block, throttle, perturb, allow, lift, label, allowlist-add, ...",
        ),
        sa.Column("target", sa.Text(), nullable=False, comment="to whom or what"),
        sa.Column("why", sa.Text(), nullable=False, comment="in the person's words"),
        sa.Column("details", postgresql.JSONB(), nullable=False, comment="the rest, without secrets"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        comment="What people did.",
    )
    op.create_index("ix_audit_log_target", "audit_log", ["target", "at"])


def _decision_heads() -> None:
    op.create_table(
        "decision_heads",
        sa.Column("scope", sa.Text(), nullable=False, comment="client_id, tenant or ip"),
        sa.Column("value", sa.Text(), nullable=False, comment="which client, tenant or address"),
        sa.Column("model", sa.Text(), nullable=False, comment="which model; *: every model"),
        sa.Column(
            "serial",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="the newest serial; 0: none was ever taken",
        ),
        sa.Column("decision", sa.BigInteger(), nullable=True, comment="decisions.id of the newest"),
        sa.Column("action", sa.Text(), server_default="allow", nullable=False, comment="its action"),
        sa.Column("until", TIME, nullable=True, comment="when it ends by itself; null: none was ever taken"),
        sa.Column("origin", sa.Text(), nullable=True, comment="detector, person or allowlist"),
        sa.Column("shadow", sa.Boolean(), server_default="false", nullable=False, comment="true: not enforced"),
        sa.Column("episode", sa.Uuid(), nullable=True, comment="the episode it belongs to"),
        sa.Column("expired", TIME, nullable=True, comment="when its end was noticed and told; null: not yet"),
        sa.Column("tombstoned", TIME, nullable=True, comment="when the topic was told to forget it; null: not yet"),
        sa.PrimaryKeyConstraint("scope", "value", "model", name="pk_decision_heads"),
        comment="The newest decision on each scope, value and model: the row that gives out serials.",
    )
    op.create_index("ix_decision_heads_until", "decision_heads", ["until"])


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="the number on the wire"),
        sa.Column("scope", sa.Text(), nullable=False, comment="client_id, tenant or ip"),
        sa.Column("value", sa.Text(), nullable=False, comment="which client, tenant or address"),
        sa.Column("model", sa.Text(), nullable=False, comment="which model; *: every model"),
        sa.Column(
            "serial",
            sa.BigInteger(),
            nullable=False,
            comment="1, 2, ... for each scope, value and model; the newest holds",
        ),
        sa.Column("action", sa.Text(), nullable=False, comment="allow, perturb, throttle or block"),
        sa.Column("until", TIME, nullable=False, comment="when it ends by itself"),
        sa.Column("origin", sa.Text(), nullable=False, comment="detector, person or allowlist"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, in one sentence"),
        sa.Column("shadow", sa.Boolean(), nullable=False, comment="true: recorded and delivered, not enforced"),
        sa.Column("verdict", sa.Uuid(), nullable=True, comment="the verdict behind it; null: a person's"),
        sa.Column("episode", sa.Uuid(), nullable=True, comment="the episode it belongs to; null: a person's"),
        sa.Column("who", sa.Text(), nullable=True, comment="the person who took it; null: the detector"),
        sa.Column("made", TIME, server_default=NOW, nullable=False, comment="when it was written"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.UniqueConstraint("scope", "value", "model", "serial", name="uq_decisions_scope_value_model_serial"),
        comment="Each decision ever taken. Appended, never edited.",
    )
    op.create_index("ix_decisions_made", "decisions", ["made"])
    op.create_index("ix_decisions_verdict", "decisions", ["verdict"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="deliveries of one channel and key leave in this order",
        ),
        sa.Column("channel", sa.Text(), nullable=False, comment="where to: topic, keys, push:NAME, webhook:NAME"),
        sa.Column("kind", sa.Text(), nullable=False, comment="decision, alert, key or tombstone"),
        sa.Column(
            "key",
            sa.Text(),
            nullable=False,
            comment="what must stay in order: the decision's key, the client and model, the hash",
        ),
        sa.Column("subject", sa.Text(), nullable=False, comment="what it is about; owed to a channel once"),
        sa.Column("payload", sa.Text(), nullable=True, comment="the body to send; null: a tombstone"),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False, comment="times it was tried"),
        sa.Column("due", TIME, server_default=NOW, nullable=False, comment="when it may be tried next"),
        sa.Column("leased", TIME, nullable=True, comment="until when somebody is trying it; null: nobody"),
        sa.Column("outcome", sa.Text(), nullable=True, comment="delivered or given-up; null: still owed"),
        sa.Column("settled", TIME, nullable=True, comment="when the outcome was known"),
        sa.Column("why", sa.Text(), nullable=True, comment="what went wrong last"),
        sa.Column("made", TIME, server_default=NOW, nullable=False, comment="when it was owed"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("channel", "subject", name="uq_deliveries_channel_subject"),
        comment="What is owed to each channel: the outbox.",
    )
    op.create_index("ix_deliveries_due", "deliveries", ["due"], postgresql_where=sa.text("outcome IS NULL"))
    op.create_index(
        "ix_deliveries_owed", "deliveries", ["channel", "key", "id"], postgresql_where=sa.text("outcome IS NULL")
    )


def _feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column(
            "id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="in the order in which it was said"
        ),
        sa.Column("client", sa.Text(), nullable=False, comment="of whom"),
        sa.Column("model", sa.Text(), nullable=False, comment="with which model; *: every model"),
        sa.Column("what", sa.Text(), nullable=False, comment="lift, false-positive, true-positive or authorised-test"),
        sa.Column("why", sa.Text(), nullable=False, comment="in the person's words"),
        sa.Column("who", sa.Text(), nullable=False, comment="who said it"),
        sa.Column("said", TIME, server_default=NOW, nullable=False, comment="when"),
        sa.Column("heard", TIME, nullable=True, comment="when the detector took it in; null: not yet"),
        sa.Column(
            "topic",
            sa.Text(),
            nullable=True,
            comment="the point of the client's stream at which it was taken in: topic,",
        ),
        sa.Column("partition", sa.Integer(), nullable=True, comment="partition"),
        sa.Column("record_offset", sa.BigInteger(), nullable=True, comment="and the first offset judged after it"),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        comment="What people said of clients: an input of the detector at a recorded point.",
    )
    op.create_index("ix_feedback_pending", "feedback", ["client"], postgresql_where=sa.text("heard IS NULL"))
