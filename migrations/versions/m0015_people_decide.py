"""Step 15: people have the last word. The breaker, proposals, and policies that come into force at an offset."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INT = sa.Integer()
LONG = sa.BigInteger()
NOW = sa.text("now()")
TEXT = sa.Text()
TIME = sa.DateTime(timezone=True)
UUID = sa.Uuid()


def upgrade() -> None:
    _policies_in_force()
    _policy_changes()
    _proposals()
    _trips()


def downgrade() -> None:
    op.drop_table("trips")
    op.drop_table("proposals")
    op.drop_table("policy_changes")
    op.drop_table("policies_in_force")


def _policies_in_force() -> None:
    op.create_table(
        "policies_in_force",
        Column("consumer_group", TEXT, nullable=False, comment="Kafka's consumer group"),
        Column("topic", TEXT, nullable=False, comment="Kafka's topic"),
        Column("topic_id", TEXT, nullable=False, comment="Kafka's id of this life of the topic; empty: unknown"),
        Column("partition", INT, nullable=False, comment="Kafka's partition"),
        Column("from_offset", LONG, nullable=False, comment="the first offset judged under it"),
        Column("policy", TEXT, nullable=False, comment="policies.version"),
        Column("adopted", TIME, nullable=False, server_default=NOW, comment="when that checkpoint was written"),
        sa.PrimaryKeyConstraint(
            "consumer_group", "topic", "topic_id", "partition", "from_offset", name="pk_policies_in_force"
        ),
        comment="From which offset on each partition judges under which policy.",
    )


def _policy_changes() -> None:
    op.create_table(
        "policy_changes",
        Column("id", LONG, sa.Identity(always=True), nullable=False, comment="the newest is the policy that is wanted"),
        Column("at", TIME, nullable=False, server_default=NOW, comment="when"),
        Column("policy", TEXT, nullable=False, comment="policies.version"),
        Column("who", TEXT, nullable=False, comment="who wanted it; detect: it started with this in its file"),
        Column("why", TEXT, nullable=False, comment="in that person's words"),
        sa.PrimaryKeyConstraint("id", name="pk_policy_changes"),
        comment="Which policy was wanted when: every partition takes the newest up at its next checkpoint.",
    )


def _proposals() -> None:
    op.create_table(
        "proposals",
        Column(
            "verdict",
            UUID,
            nullable=False,
            comment="the verdict that calls for a block; what the proposal is called by",
        ),
        Column("client", TEXT, nullable=False, comment="whom to block"),
        Column("model", TEXT, nullable=False, comment="at which model"),
        Column("episode", UUID, nullable=False, comment="the episode it belongs to"),
        Column(
            "cause",
            TEXT,
            nullable=False,
            comment="why it waits: approval (the policy wants a person's word) or breaker (it was open)",
        ),
        Column("reason", TEXT, nullable=False, comment="why to block, in one sentence"),
        Column("until", TIME, nullable=False, comment="when the block would end; the proposal ends then, too"),
        Column(
            "serial",
            LONG,
            nullable=False,
            comment="the newest decision on the client and model when it was proposed; a newer one ends it",
        ),
        Column("made", TIME, nullable=False, server_default=NOW, comment="when it was proposed"),
        Column("outcome", TEXT, comment="approved or declined; null: nobody has said"),
        Column("settled", TIME, comment="when a person said so"),
        Column("who", TEXT, comment="who said so"),
        Column("why", TEXT, comment="in that person's words"),
        sa.PrimaryKeyConstraint("verdict", name="pk_proposals"),
        comment="Blocks of the detector that wait for a person's word.",
    )
    op.create_index(
        "ix_proposals_open", "proposals", ["model", "made"], unique=False, postgresql_where=sa.text("outcome IS NULL")
    )


def _trips() -> None:
    op.create_table(
        "trips",
        Column("id", UUID, nullable=False, comment="what its alert is called by"),
        Column("model", TEXT, nullable=False, comment="of which model"),
        Column(
            "opened",
            TIME,
            nullable=False,
            server_default=NOW,
            comment="when too many would have been blocked; from then on the detector's decisions are in shadow",
        ),
        Column(
            "blocked",
            LONG,
            nullable=False,
            comment="clients that would have been newly blocked within the policy's time",
        ),
        Column("clients", LONG, nullable=False, comment="clients that asked within that time"),
        Column("reason", TEXT, nullable=False, comment="the same in words"),
        Column("policy", TEXT, nullable=False, comment="version of the policy that set the limits"),
        Column("told", JSONB(), nullable=False, comment="channels that are to hear its end"),
        Column("closed", TIME, comment="when a person closed it; null: it is open"),
        Column("who", TEXT, comment="who closed it"),
        Column("why", TEXT, comment="in that person's words"),
        sa.PrimaryKeyConstraint("id", name="pk_trips"),
        comment="Each time the circuit breaker opened.",
    )
    op.create_index("uq_trips_open", "trips", ["model"], unique=True, postgresql_where=sa.text("closed IS NULL"))
