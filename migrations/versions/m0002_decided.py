"""Step 2: what was decided, what is owed to whom, and what people said and did."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FLAG = sa.Boolean()
INT = sa.Integer()
LONG = sa.BigInteger()
NOW = sa.text("now()")
TEXT = sa.Text()
TIME = sa.DateTime(timezone=True)
UUID = sa.Uuid()


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
        Column("scope", TEXT, nullable=False, comment="client_id, tenant or ip"),
        Column("value", TEXT, nullable=False, comment="which client, tenant or address"),
        Column("model", TEXT, nullable=False, comment="which model; *: every model"),
        Column("until", TIME, nullable=False, comment="when the entry ends"),
        Column("why", TEXT, nullable=False, comment="in the person's words"),
        Column("who", TEXT, nullable=False, comment="who added it"),
        Column("added", TIME, server_default=NOW, nullable=False, comment="when"),
        sa.PrimaryKeyConstraint("scope", "value", "model", name="pk_allowlist"),
        comment="Who is never acted against. Checked when a decision is written.",
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        Column(
            "hash", TEXT, nullable=False, comment="SHA-256 of the key, hexadecimal; the key itself is stored nowhere"
        ),
        Column("prefix", TEXT, nullable=False, comment="the key's first eight characters, to recognise it by"),
        Column("kind", TEXT, nullable=False, comment="client (asks at a gateway) or bouncer (asks the decision API)"),
        Column("client", TEXT, nullable=False, comment="the client or bouncer it identifies"),
        Column("tenant", TEXT, comment="the client's tenant; null: none"),
        Column("roles", postgresql.ARRAY(TEXT), nullable=False, comment="what it may do"),
        Column("expires", TIME, comment="when it ends; null: never"),
        Column("revoked", TIME, comment="when it was revoked; null: it was not"),
        Column("added", TIME, server_default=NOW, nullable=False, comment="when it was made"),
        Column("who", TEXT, nullable=False, comment="who made it"),
        sa.PrimaryKeyConstraint("hash", name="pk_api_keys"),
        comment="API keys, hashed.",
    )
    op.create_index("ix_api_keys_prefix", "api_keys", ["prefix"])


def _audit_log() -> None:
    op.create_table(
        "audit_log",
        Column("id", LONG, sa.Identity(always=True), nullable=False, comment="in the order in which it was done"),
        Column("at", TIME, server_default=NOW, nullable=False, comment="when"),
        Column("who", TEXT, nullable=False, comment="who did it"),
        Column(
            "what", TEXT, nullable=False, comment="block, throttle, perturb, allow, lift, label, allowlist-add, ..."
        ),
        Column("target", TEXT, nullable=False, comment="to whom or what"),
        Column("why", TEXT, nullable=False, comment="in the person's words"),
        Column("details", postgresql.JSONB(), nullable=False, comment="the rest, without secrets"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        comment="What people did.",
    )
    op.create_index("ix_audit_log_target", "audit_log", ["target", "at"])


def _decision_heads() -> None:
    op.create_table(
        "decision_heads",
        Column("scope", TEXT, nullable=False, comment="client_id, tenant or ip"),
        Column("value", TEXT, nullable=False, comment="which client, tenant or address"),
        Column("model", TEXT, nullable=False, comment="which model; *: every model"),
        Column("serial", LONG, server_default="0", nullable=False, comment="the newest serial; 0: none was ever taken"),
        Column("decision", LONG, comment="decisions.id of the newest"),
        Column("action", TEXT, server_default="allow", nullable=False, comment="its action"),
        Column("until", TIME, comment="when it ends by itself; null: none was ever taken"),
        Column("origin", TEXT, comment="detector, person or allowlist"),
        Column("shadow", FLAG, server_default="false", nullable=False, comment="true: not enforced"),
        Column("episode", UUID, comment="the episode it belongs to"),
        Column("expired", TIME, comment="when its end was noticed and told; null: not yet"),
        Column("tombstoned", TIME, comment="when the topic was told to forget it; null: not yet"),
        sa.PrimaryKeyConstraint("scope", "value", "model", name="pk_decision_heads"),
        comment="The newest decision on each scope, value and model: the row that gives out serials.",
    )
    op.create_index("ix_decision_heads_until", "decision_heads", ["until"])


def _decisions() -> None:
    op.create_table(
        "decisions",
        Column("id", LONG, sa.Identity(always=True), nullable=False, comment="the number on the wire"),
        Column("scope", TEXT, nullable=False, comment="client_id, tenant or ip"),
        Column("value", TEXT, nullable=False, comment="which client, tenant or address"),
        Column("model", TEXT, nullable=False, comment="which model; *: every model"),
        Column("serial", LONG, nullable=False, comment="1, 2, ... for each scope, value and model; the newest holds"),
        Column("action", TEXT, nullable=False, comment="allow, perturb, throttle or block"),
        Column("until", TIME, nullable=False, comment="when it ends by itself"),
        Column("origin", TEXT, nullable=False, comment="detector, person or allowlist"),
        Column("reason", TEXT, nullable=False, comment="why, in one sentence"),
        Column("shadow", FLAG, nullable=False, comment="true: recorded and delivered, not enforced"),
        Column("verdict", UUID, comment="the verdict behind it; null: a person's"),
        Column("episode", UUID, comment="the episode it belongs to; null: a person's"),
        Column("who", TEXT, comment="the person who took it; null: the detector"),
        Column("made", TIME, server_default=NOW, nullable=False, comment="when it was written"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.UniqueConstraint("scope", "value", "model", "serial", name="uq_decisions_scope_value_model_serial"),
        comment="Each decision ever taken. Appended, never edited.",
    )
    op.create_index("ix_decisions_made", "decisions", ["made"])
    op.create_index("ix_decisions_verdict", "decisions", ["verdict"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        Column(
            "id",
            LONG,
            sa.Identity(always=True),
            nullable=False,
            comment="deliveries of one channel and key leave in this order",
        ),
        Column("channel", TEXT, nullable=False, comment="where to: topic, keys, push:NAME, webhook:NAME"),
        Column("kind", TEXT, nullable=False, comment="decision, alert, key or tombstone"),
        Column(
            "key",
            TEXT,
            nullable=False,
            comment="what must stay in order: the decision's key, the client and model, the hash",
        ),
        Column("subject", TEXT, nullable=False, comment="what it is about; owed to a channel once"),
        Column("payload", TEXT, comment="the body to send; null: a tombstone"),
        Column("attempts", LONG, server_default="0", nullable=False, comment="times it was tried"),
        Column("due", TIME, server_default=NOW, nullable=False, comment="when it may be tried next"),
        Column("leased", TIME, comment="until when somebody is trying it; null: nobody"),
        Column("outcome", TEXT, comment="delivered or given-up; null: still owed"),
        Column("settled", TIME, comment="when the outcome was known"),
        Column("why", TEXT, comment="what went wrong last"),
        Column("made", TIME, server_default=NOW, nullable=False, comment="when it was owed"),
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
        Column("id", LONG, sa.Identity(always=True), nullable=False, comment="in the order in which it was said"),
        Column("client", TEXT, nullable=False, comment="of whom"),
        Column("model", TEXT, nullable=False, comment="with which model; *: every model"),
        Column("what", TEXT, nullable=False, comment="lift, false-positive, true-positive or authorised-test"),
        Column("why", TEXT, nullable=False, comment="in the person's words"),
        Column("who", TEXT, nullable=False, comment="who said it"),
        Column("said", TIME, server_default=NOW, nullable=False, comment="when"),
        Column("heard", TIME, comment="when the detector took it in; null: not yet"),
        Column("topic", TEXT, comment="the point of the client's stream at which it was taken in: topic,"),
        Column("partition", INT, comment="partition"),
        Column("record_offset", LONG, comment="and the first offset judged after it"),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        comment="What people said of clients: an input of the detector at a recorded point.",
    )
    op.create_index("ix_feedback_pending", "feedback", ["client"], postgresql_where=sa.text("heard IS NULL"))
