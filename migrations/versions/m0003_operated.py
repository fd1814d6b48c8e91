"""Step 3: the running system. Offsets, gaps, unreadable records, versions in force, gateways."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BYTES = sa.LargeBinary()
FLAG = sa.Boolean()
INT = sa.Integer()
LONG = sa.BigInteger()
NOW = sa.text("now()")
REAL = sa.Float(53)
TEXT = sa.Text()
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _gaps()
    _gateways()
    _in_force()
    _offsets()
    _policies()
    _populations()
    _unreadable()


def downgrade() -> None:
    op.drop_table("unreadable")
    op.drop_table("populations")
    op.drop_table("policies")
    op.drop_table("offsets")
    op.drop_table("in_force")
    op.drop_table("gateways")
    op.drop_table("gaps")


def _gaps() -> None:
    op.create_table(
        "gaps",
        Column("consumer_group", TEXT, nullable=False, comment="Kafka's consumer group"),
        Column("topic", TEXT, nullable=False, comment="Kafka's topic"),
        Column("topic_id", TEXT, nullable=False, comment="Kafka's id of this life of the topic; empty: unknown"),
        Column("partition", INT, nullable=False, comment="Kafka's partition"),
        Column("first_lost", LONG, nullable=False, comment="the first offset that was gone"),
        Column("read_again", LONG, nullable=False, comment="the first offset that could be read again"),
        Column("found", TIME, server_default=NOW, nullable=False, comment="when it was noticed"),
        sa.PrimaryKeyConstraint("consumer_group", "topic", "topic_id", "partition", "first_lost", name="pk_gaps"),
        comment="Records that Kafka's retention removed before they were read.",
    )


def _gateways() -> None:
    op.create_table(
        "gateways",
        Column("name", TEXT, nullable=False, comment="the gateway's name"),
        Column("applied_decision", LONG, comment="id of the newest decision it has applied; null: none yet"),
        Column("applied_serial", LONG, comment="that decision's serial"),
        Column("decisions", LONG, nullable=False, comment="decisions in its table"),
        Column("table_age_seconds", REAL, comment="how long ago it last heard from its feed; null: never"),
        Column("dropped", LONG, nullable=False, comment="records its query log had to drop since it started"),
        Column("reported", TIME, nullable=False, comment="its own time of the report"),
        Column("heard", TIME, server_default=NOW, nullable=False, comment="when the report was written here"),
        sa.PrimaryKeyConstraint("name", name="pk_gateways"),
        comment="What each gateway last said of itself.",
    )


def _in_force() -> None:
    op.create_table(
        "in_force",
        Column("consumer_group", TEXT, nullable=False, comment="Kafka's consumer group"),
        Column("topic", TEXT, nullable=False, comment="Kafka's topic"),
        Column("topic_id", TEXT, nullable=False, comment="Kafka's id of this life of the topic; empty: unknown"),
        Column("partition", INT, nullable=False, comment="Kafka's partition"),
        Column("model", TEXT, nullable=False, comment="the model judged"),
        Column("from_offset", LONG, nullable=False, comment="the first offset judged under it"),
        Column("population", TEXT, nullable=False, comment="populations.version"),
        Column("adopted", TIME, server_default=NOW, nullable=False, comment="when that checkpoint was written"),
        sa.PrimaryKeyConstraint(
            "consumer_group", "topic", "topic_id", "partition", "model", "from_offset", name="pk_in_force"
        ),
        comment="From which offset on each partition judges a model under which population.",
    )


def _offsets() -> None:
    op.create_table(
        "offsets",
        Column("consumer_group", TEXT, nullable=False, comment="Kafka's consumer group"),
        Column("topic", TEXT, nullable=False, comment="Kafka's topic"),
        Column("topic_id", TEXT, nullable=False, comment="Kafka's id of this life of the topic; empty: unknown"),
        Column("partition", INT, nullable=False, comment="Kafka's partition"),
        Column(
            "epoch",
            LONG,
            server_default="0",
            nullable=False,
            comment="raised by each new owner; a checkpoint under an older one is refused",
        ),
        Column("next", LONG, comment="the first offset that is not accounted for; null: never read"),
        Column("snapshot_next", LONG, comment="where a new owner resumes: snapshots hold everything before it"),
        Column("scored", LONG, server_default="0", nullable=False, comment="predictions judged"),
        Column(
            "counted",
            LONG,
            server_default="0",
            nullable=False,
            comment="predictions counted only: answered 4xx or 5xx, repeated, or cold",
        ),
        Column("unreadable", LONG, server_default="0", nullable=False, comment="predictions set aside"),
        Column(
            "lost", LONG, server_default="0", nullable=False, comment="records that Kafka removed before they were read"
        ),
        Column("snapshot_scored", LONG, server_default="0", nullable=False, comment="scored, as of snapshot_next"),
        Column("snapshot_counted", LONG, server_default="0", nullable=False, comment="counted, as of snapshot_next"),
        Column(
            "snapshot_unreadable", LONG, server_default="0", nullable=False, comment="unreadable, as of snapshot_next"
        ),
        Column("policy", TEXT, comment="version of the policy of the latest checkpoint"),
        Column("claimed", TIME, comment="when the present owner came; null: never owned"),
        Column("saved", TIME, comment="when the latest checkpoint was written; null: none yet"),
        sa.PrimaryKeyConstraint("consumer_group", "topic", "topic_id", "partition", name="pk_offsets"),
        comment="How far each partition is accounted for, and by whom.",
    )


def _policies() -> None:
    op.create_table(
        "policies",
        Column("version", TEXT, nullable=False, comment="12 hexadecimal digits of the content"),
        Column("content", TEXT, nullable=False, comment="the policy as JSON, every member written out"),
        Column("added", TIME, server_default=NOW, nullable=False, comment="when it was first used"),
        sa.PrimaryKeyConstraint("version", name="pk_policies"),
        comment="Thresholds, actions and durations, one row a version, never changed.",
    )


def _populations() -> None:
    op.create_table(
        "populations",
        Column("version", TEXT, nullable=False, comment="16 hexadecimal digits of the content"),
        Column("model", TEXT, nullable=False, comment="whose ordinary clients these are"),
        Column("clients", LONG, nullable=False, comment="ordinary clients it was learnt from"),
        Column("known", LONG, nullable=False, comment="those of them with enough queries to count"),
        Column("queries", LONG, nullable=False, comment="queries it was learnt from"),
        Column("cold", FLAG, nullable=False, comment="true: too few ordinary clients, decisions stay in shadow"),
        Column("since", TIME, nullable=False, comment="event time of the first query it was learnt from"),
        Column("until", TIME, nullable=False, comment="event time of the last query it was learnt from"),
        Column("data", BYTES, nullable=False, comment="the .gk file with this one population"),
        Column("wanted", FLAG, server_default="false", nullable=False, comment="true: partitions take it up"),
        Column("added", TIME, server_default=NOW, nullable=False, comment="when it was put here"),
        Column("who", TEXT, nullable=False, comment="who put it here"),
        sa.PrimaryKeyConstraint("version", name="pk_populations"),
        comment="What ordinary clients look like, one row a version, never changed.",
    )
    op.create_index("uq_populations_wanted", "populations", ["model"], unique=True, postgresql_where="wanted")


def _unreadable() -> None:
    op.create_table(
        "unreadable",
        Column("consumer_group", TEXT, nullable=False, comment="Kafka's consumer group"),
        Column("topic", TEXT, nullable=False, comment="Kafka's topic"),
        Column("topic_id", TEXT, nullable=False, comment="Kafka's id of this life of the topic; empty: unknown"),
        Column("partition", INT, nullable=False, comment="Kafka's partition"),
        Column("record_offset", LONG, nullable=False, comment="offset of the record"),
        Column("record_row", INT, nullable=False, comment="row inside a batch record; -1: the whole record"),
        Column("reason", TEXT, nullable=False, comment="which member is wrong, and how"),
        Column("head", BYTES, nullable=False, comment="the first 4 KiB of the record"),
        Column("found", TIME, server_default=NOW, nullable=False, comment="when it was set aside"),
        sa.PrimaryKeyConstraint(
            "consumer_group", "topic", "topic_id", "partition", "record_offset", "record_row", name="pk_unreadable"
        ),
        comment="Records, or single rows of them, that do not keep the contract. Nothing was scored of them.",
    )
    op.create_index("ix_unreadable_found", "unreadable", ["found"])
