"""Step 1: what was judged. Verdicts and their evidence, standings, episodes, snapshots."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0001"
down_revision = None
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
UUID = sa.Uuid()


def upgrade() -> None:
    _episodes()
    _evidence()
    _snapshots()
    _standings()
    _verdicts()


def downgrade() -> None:
    op.drop_table("verdicts")
    op.drop_table("standings")
    op.drop_table("snapshots")
    op.drop_table("evidence")
    op.drop_table("episodes")


def _episodes() -> None:
    op.create_table(
        "episodes",
        Column("client", TEXT, nullable=False, comment="who"),
        Column("model", TEXT, nullable=False, comment="with which model"),
        Column("number", INT, nullable=False, comment="1, 2, ... for each client and model"),
        Column("id", UUID, nullable=False, comment="what alerts call this episode"),
        Column("tenant", TEXT, comment="the client's tenant as last stated; null: never stated"),
        Column("opened", TIME, nullable=False, comment="event time of leaving clear"),
        Column("closed", TIME, comment="event time of returning to clear; null: open"),
        Column("standing", TEXT, nullable=False, comment="the latest standing"),
        Column("highest", TEXT, nullable=False, comment="the highest standing reached"),
        Column("score", REAL, nullable=False, comment="the highest score reached"),
        Column("leakage", REAL, comment="the latest known leakage; null: never known"),
        Column("verdicts", LONG, server_default="0", nullable=False, comment="verdicts of this episode"),
        Column("alerted", TEXT, comment="the latest alert sent: suspected, confirmed or resolved; null: none yet"),
        sa.PrimaryKeyConstraint("client", "model", "number", name="pk_episodes"),
        sa.UniqueConstraint("id", name="uq_episodes_id"),
        comment="A client's verdicts from leaving clear until returning to it.",
    )


def _evidence() -> None:
    op.create_table(
        "evidence",
        Column("verdict", UUID, nullable=False, comment="verdicts.id"),
        Column("at", TIME, nullable=False, comment="verdicts.at: say it when joining, it finds the day"),
        Column("position", INT, nullable=False, comment="0, 1, ...: the heaviest reading first"),
        Column("signal", TEXT, nullable=False, comment="which signal speaks"),
        Column("kind", TEXT, nullable=False, comment="which kind of evidence it is"),
        Column("value", REAL, comment="the reading; null: unknown"),
        Column("because", TEXT, nullable=False, comment="the reading in words"),
        sa.PrimaryKeyConstraint("verdict", "at", "position", name="pk_evidence"),
        comment="The readings behind each verdict. Partitioned by day of event time.",
        postgresql_partition_by="RANGE (at)",
    )
    op.execute("CREATE TABLE evidence_default PARTITION OF evidence DEFAULT")


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        Column("client", TEXT, nullable=False, comment="who"),
        Column("model", TEXT, nullable=False, comment="with which model"),
        Column("tenant", TEXT, comment="the client's tenant as last stated; null: never stated"),
        Column("topic", TEXT, nullable=False, comment="topic of the partition that saved it last"),
        Column("partition", INT, nullable=False, comment="that partition"),
        Column("standing", TEXT, nullable=False, comment="the standing in memory"),
        Column("serial", INT, nullable=False, comment="serial of its latest verdict; 0: none yet"),
        Column("episode", INT, nullable=False, comment="its latest episode; 0: none yet"),
        Column("queries", LONG, nullable=False, comment="readable queries so far"),
        Column("expires", TIME, comment="event time at which the standing ends; null: it does not"),
        Column("score", REAL, nullable=False, comment="score of its latest window"),
        Column("leakage", REAL, comment="leakage so far; null: not enough known"),
        Column("last", TIME, nullable=False, comment="event time of its latest query"),
        Column(
            "population", TEXT, nullable=False, comment="version of the population that its evidence was reckoned under"
        ),
        Column("policy", TEXT, nullable=False, comment="version of the policy that its evidence was reckoned under"),
        Column(
            "data",
            BYTES,
            nullable=False,
            comment="the detector's memory of the client: named, versioned sections; no pickle, no raw input",
        ),
        Column("written", TIME, server_default=NOW, nullable=False, comment="when this row was last written"),
        sa.PrimaryKeyConstraint("client", "model", name="pk_snapshots"),
        comment="What the detector remembers of each client and model.",
    )
    op.create_index("ix_snapshots_partition", "snapshots", ["topic", "partition"])


def _standings() -> None:
    op.create_table(
        "standings",
        Column("client", TEXT, nullable=False, comment="who"),
        Column("model", TEXT, nullable=False, comment="with which model"),
        Column("tenant", TEXT, comment="the client's tenant as last stated; null: never stated"),
        Column("standing", TEXT, nullable=False, comment="clear, watched, suspected or confirmed"),
        Column("since", TIME, nullable=False, comment="event time of the latest verdict"),
        Column("serial", INT, nullable=False, comment="serial of the latest verdict"),
        Column("episode", INT, nullable=False, comment="the latest episode"),
        Column("action", TEXT, nullable=False, comment="what the policy answers this standing with"),
        Column("shadow", FLAG, nullable=False, comment="true: that answer is not enforced"),
        Column("score", REAL, nullable=False, comment="score of the latest verdict"),
        Column("leakage", REAL, comment="leakage at the latest verdict; null: not enough known"),
        Column("queries", LONG, nullable=False, comment="queries when the latest verdict was reached"),
        Column("population", TEXT, nullable=False, comment="version of the population judged against"),
        Column("policy", TEXT, nullable=False, comment="version of the policy in force then"),
        Column("reason", TEXT, nullable=False, comment="why, in one sentence"),
        Column("verdict", UUID, nullable=False, comment="id of the latest verdict"),
        Column("written", TIME, server_default=NOW, nullable=False, comment="when this row was last written"),
        sa.PrimaryKeyConstraint("client", "model", name="pk_standings"),
        comment="Where each client stands with each model: the head of its verdicts.",
    )


def _verdicts() -> None:
    op.create_table(
        "verdicts",
        Column("client", TEXT, nullable=False, comment="who asked"),
        Column("model", TEXT, nullable=False, comment="the model asked"),
        Column("serial", INT, nullable=False, comment="1, 2, ... for each client and model"),
        Column("at", TIME, nullable=False, comment="event time of the record that decided"),
        Column("id", UUID, nullable=False, comment="the same whenever the same records are judged again"),
        Column("tenant", TEXT, comment="the client's tenant as last stated; null: never stated"),
        Column("episode", INT, nullable=False, comment="1, 2, ... for each client and model"),
        Column("standing", TEXT, nullable=False, comment="clear, watched, suspected or confirmed, from here on"),
        Column("previous", TEXT, nullable=False, comment="the standing before"),
        Column("cause", TEXT, nullable=False, comment="evidence, expiry, lift or label"),
        Column(
            "action", TEXT, nullable=False, comment="what the policy answers with: allow, perturb, throttle or block"
        ),
        Column("seconds", LONG, nullable=False, comment="how long that action is to hold"),
        Column("shadow", FLAG, nullable=False, comment="true: recorded and delivered, not enforced"),
        Column(
            "score", REAL, nullable=False, comment="0 to 1: how strongly the evidence speaks against an ordinary client"
        ),
        Column("leakage", REAL, comment="0 to 1: how much of the model the client has learnt; null: not enough known"),
        Column(
            "queries",
            LONG,
            nullable=False,
            comment="readable queries of this client with this model when the verdict was reached",
        ),
        Column("population", TEXT, nullable=False, comment="version of the population judged against; empty: none"),
        Column("policy", TEXT, nullable=False, comment="version of the policy in force"),
        Column("reason", TEXT, nullable=False, comment="why, in one sentence"),
        Column("topic", TEXT, nullable=False, comment="topic of the record that decided"),
        Column("partition", INT, nullable=False, comment="its partition"),
        Column("record_offset", LONG, nullable=False, comment="its offset"),
        Column("record_row", INT, nullable=False, comment="its row inside a batch record, else 0"),
        Column(
            "written", TIME, server_default=NOW, nullable=False, comment="when the checkpoint that holds it was written"
        ),
        sa.PrimaryKeyConstraint("client", "model", "serial", "at", name="pk_verdicts"),
        comment="Each change of a standing. Appended, never edited. Partitioned by day of event time.",
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_verdicts_at", "verdicts", ["at"])
    op.create_index("ix_verdicts_id", "verdicts", ["id"])
    op.execute("CREATE TABLE verdicts_default PARTITION OF verdicts DEFAULT")
