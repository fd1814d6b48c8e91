"""Step 3: the running system. Offsets, gaps, unreadable records, versions in force, gateways."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


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
        sa.Column("consumer_group", sa.Text(), nullable=False, comment="Kafka's consumer group"),
        sa.Column("topic", sa.Text(), nullable=False, comment="Kafka's topic"),
        sa.Column(
            "topic_id", sa.Text(), nullable=False, comment="Kafka's id of this life of the topic; empty: unknown"
        ),
        sa.Column("partition", sa.Integer(), nullable=False, comment="Kafka's partition"),
        sa.Column("first_lost", sa.BigInteger(), nullable=False, comment="the first offset that was gone"),
        sa.Column("read_again", sa.BigInteger(), nullable=False, comment="the first offset that could be read again"),
        sa.Column("found", TIME, server_default=NOW, nullable=False, comment="when it was noticed"),
        sa.PrimaryKeyConstraint("consumer_group", "topic", "topic_id", "partition", "first_lost", name="pk_gaps"),
        comment="Records that Kafka's retention removed before they were read.",
    )


def _gateways() -> None:
    op.create_table(
        "gateways",
        sa.Column("name", sa.Text(), nullable=False, comment="the gateway's name"),
        sa.Column(
            "applied_decision",
            sa.BigInteger(),
            nullable=True,
            comment="id of the newest decision it has applied; null: none yet",
        ),
        sa.Column("applied_serial", sa.BigInteger(), nullable=True, comment="that decision's serial"),
        sa.Column("decisions", sa.BigInteger(), nullable=False, comment="decisions in its table"),
        sa.Column(
            "table_age_seconds",
            sa.Float(53),
            nullable=True,
            comment="how long ago it last heard from its feed; null: never",
        ),
        sa.Column(
            "dropped", sa.BigInteger(), nullable=False, comment="records its query log had to drop since it started"
        ),
        sa.Column("reported", TIME, nullable=False, comment="its own time of the report"),
        sa.Column("heard", TIME, server_default=NOW, nullable=False, comment="when the report was written here"),
        sa.PrimaryKeyConstraint("name", name="pk_gateways"),
        comment="What each gateway last said of itself.",
    )


def _in_force() -> None:
    op.create_table(
        "in_force",
        sa.Column("consumer_group", sa.Text(), nullable=False, comment="Kafka's consumer group"),
        sa.Column("topic", sa.Text(), nullable=False, comment="Kafka's topic"),
        sa.Column(
            "topic_id", sa.Text(), nullable=False, comment="Kafka's id of this life of the topic; empty: unknown"
        ),
        sa.Column("partition", sa.Integer(), nullable=False, comment="Kafka's partition"),
        sa.Column("model", sa.Text(), nullable=False, comment="the model judged"),
        sa.Column("from_offset", sa.BigInteger(), nullable=False, comment="the first offset judged under it"),
        sa.Column("population", sa.Text(), nullable=False, comment="populations.version"),
        sa.Column("adopted", TIME, server_default=NOW, nullable=False, comment="when that checkpoint was written"),
        sa.PrimaryKeyConstraint(
            "consumer_group", "topic", "topic_id", "partition", "model", "from_offset", name="pk_in_force"
        ),
        comment="From which offset on each partition judges a model under which population.",
    )


def _offsets() -> None:
    op.create_table(
        "offsets",
        sa.Column("consumer_group", sa.Text(), nullable=False, comment="Kafka's consumer group"),
        sa.Column("topic", sa.Text(), nullable=False, comment="Kafka's topic"),
        sa.Column(
            "topic_id", sa.Text(), nullable=False, comment="Kafka's id of this life of the topic; empty: unknown"
        ),
        sa.Column("partition", sa.Integer(), nullable=False, comment="Kafka's partition"),
        sa.Column(
            "epoch",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="raised by each new owner; a checkpoint under an older one is refused",
        ),
        sa.Column(
            "next",
            sa.BigInteger(),
            nullable=True,
            comment="the first offset that is not accounted for; null: never read",
        ),
        sa.Column(
            "snapshot_next",
            sa.BigInteger(),
            nullable=True,
            comment="where a new owner resumes: snapshots hold everything before it",
        ),
        sa.Column("scored", sa.BigInteger(), server_default="0", nullable=False, comment="predictions judged"),
        sa.Column(
            "counted",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="predictions counted only: answered 4xx or 5xx, repeated, or cold",
        ),
        sa.Column("unreadable", sa.BigInteger(), server_default="0", nullable=False, comment="predictions set aside"),
        sa.Column(
            "lost",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="records that Kafka removed before they were read",
        ),
        sa.Column(
            "snapshot_scored",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="scored, as of snapshot_next",
        ),
        sa.Column(
            "snapshot_counted",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="counted, as of snapshot_next",
        ),
        sa.Column(
            "snapshot_unreadable",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="unreadable, as of snapshot_next",
        ),
        sa.Column("policy", sa.Text(), nullable=True, comment="version of the policy of the latest checkpoint"),
        sa.Column("claimed", TIME, nullable=True, comment="when the present owner came; null: never owned"),
        sa.Column("saved", TIME, nullable=True, comment="when the latest checkpoint was written; null: none yet"),
        sa.PrimaryKeyConstraint("consumer_group", "topic", "topic_id", "partition", name="pk_offsets"),
        comment="How far each partition is accounted for, and by whom.",
    )


def _policies() -> None:
    op.create_table(
        "policies",
        sa.Column("version", sa.Text(), nullable=False, comment="12 hexadecimal digits of the content"),
        sa.Column("content", sa.Text(), nullable=False, comment="the policy as JSON, every member written out"),
        sa.Column("added", TIME, server_default=NOW, nullable=False, comment="when it was first used"),
        sa.PrimaryKeyConstraint("version", name="pk_policies"),
        comment="Thresholds, actions and durations, one row a version, never changed.",
    )


def _populations() -> None:
    op.create_table(
        "populations",
        sa.Column("version", sa.Text(), nullable=False, comment="16 hexadecimal digits of the content"),
        sa.Column("model", sa.Text(), nullable=False, comment="whose ordinary clients these are"),
        sa.Column("clients", sa.BigInteger(), nullable=False, comment="ordinary clients it was learnt from"),
        sa.Column("known", sa.BigInteger(), nullable=False, comment="those of them with enough queries to count"),
        sa.Column("queries", sa.BigInteger(), nullable=False, comment="queries it was learnt from"),
        sa.Column(
            "cold", sa.Boolean(), nullable=False, comment="true: too few ordinary clients, decisions stay in shadow"
        ),
        sa.Column("since", TIME, nullable=False, comment="event time of the first query it was learnt from"),
        sa.Column("until", TIME, nullable=False, comment="event time of the last query it was learnt from"),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="the .gk file with this one population"),
        sa.Column(
            "wanted", sa.Boolean(), server_default="false", nullable=False, comment="true: partitions take it up"
        ),
        sa.Column("added", TIME, server_default=NOW, nullable=False, comment="when it was put here"),
        sa.Column("who", sa.Text(), nullable=False, comment="who put it here"),
        sa.PrimaryKeyConstraint("version", name="pk_populations"),
        comment="What ordinary clients look like, one row a version, never changed.",
    )
    op.create_index("uq_populations_wanted", "populations", ["model"], unique=True, postgresql_where="wanted")


def _unreadable() -> None:
    op.create_table(
        "unreadable",
        sa.Column("consumer_group", sa.Text(), nullable=False, comment="Kafka's consumer group"),
        sa.Column("topic", sa.Text(), nullable=False, comment="Kafka's topic"),
        sa.Column(
            "topic_id", sa.Text(), nullable=False, comment="Kafka's id of this life of the topic; empty: unknown"
        ),
        sa.Column("partition", sa.Integer(), nullable=False, comment="Kafka's partition"),
        sa.Column("record_offset", sa.BigInteger(), nullable=False, comment="offset of the record"),
        sa.Column(
            "record_row", sa.Integer(), nullable=False, comment="row inside a batch record; -1: the whole record"
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="which member is wrong, and how"),
        sa.Column("head", sa.LargeBinary(), nullable=False, comment="the first 4 KiB of the record"),
        sa.Column("found", TIME, server_default=NOW, nullable=False, comment="when it was set aside"),
        sa.PrimaryKeyConstraint(
            "consumer_group", "topic", "topic_id", "partition", "record_offset", "record_row", name="pk_unreadable"
        ),
        comment="Records, or single rows of them, that do not keep the contract. Nothing was scored of them.",
    )
    op.create_index("ix_unreadable_found", "unreadable", ["found"])
