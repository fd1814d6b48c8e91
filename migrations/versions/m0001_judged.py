"""Step 1: what was judged. Verdicts and their evidence, standings, episodes, snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


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
        sa.Column("client", sa.Text(), nullable=False, comment="who"),
        sa.Column("model", sa.Text(), nullable=False, comment="with which model"),
        sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, ... for each client and model"),
        sa.Column("id", sa.Uuid(), nullable=False, comment="what alerts call this episode"),
        sa.Column("tenant", sa.Text(), nullable=True, comment="the client's tenant as last stated; null: never stated"),
        sa.Column("opened", TIME, nullable=False, comment="event time of leaving clear"),
        sa.Column("closed", TIME, nullable=True, comment="event time of returning to clear; null: open"),
        sa.Column("standing", sa.Text(), nullable=False, comment="the latest standing"),
        sa.Column("highest", sa.Text(), nullable=False, comment="the highest standing reached"),
        sa.Column("score", sa.Float(53), nullable=False, comment="the highest score reached"),
        sa.Column("leakage", sa.Float(53), nullable=True, comment="the latest known leakage; null: never known"),
        sa.Column("verdicts", sa.BigInteger(), server_default="0", nullable=False, comment="verdicts of this episode"),
        sa.Column(
            "alerted",
            sa.Text(),
            nullable=True,
            comment="the latest alert sent: suspected, confirmed or resolved; null: none yet",
        ),
        sa.PrimaryKeyConstraint("client", "model", "number", name="pk_episodes"),
        sa.UniqueConstraint("id", name="uq_episodes_id"),
        comment="A client's verdicts from leaving clear until returning to it.",
    )


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("verdict", sa.Uuid(), nullable=False, comment="verdicts.id"),
        sa.Column("at", TIME, nullable=False, comment="verdicts.at: say it when joining, it finds the day"),
        sa.Column("position", sa.Integer(), nullable=False, comment="0, 1, ...: the heaviest reading first"),
        sa.Column("signal", sa.Text(), nullable=False, comment="which signal speaks"),
        sa.Column("kind", sa.Text(), nullable=False, comment="which kind of evidence it is"),
        sa.Column("value", sa.Float(53), nullable=True, comment="the reading; null: unknown"),
        sa.Column("because", sa.Text(), nullable=False, comment="the reading in words"),
        sa.PrimaryKeyConstraint("verdict", "at", "position", name="pk_evidence"),
        comment="The readings behind each verdict. Partitioned by day of event time.",
        postgresql_partition_by="RANGE (at)",
    )
    op.execute("CREATE TABLE evidence_default PARTITION OF evidence DEFAULT")


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("client", sa.Text(), nullable=False, comment="who"),
        sa.Column("model", sa.Text(), nullable=False, comment="with which model"),
        sa.Column("tenant", sa.Text(), nullable=True, comment="the client's tenant as last stated; null: never stated"),
        sa.Column("topic", sa.Text(), nullable=False, comment="topic of the partition that saved it last"),
        sa.Column("partition", sa.Integer(), nullable=False, comment="that partition"),
        sa.Column("standing", sa.Text(), nullable=False, comment="the standing in memory"),
        sa.Column("serial", sa.Integer(), nullable=False, comment="serial of its latest verdict; 0: none yet"),
        sa.Column("episode", sa.Integer(), nullable=False, comment="its latest episode; 0: none yet"),
        sa.Column("queries", sa.BigInteger(), nullable=False, comment="readable queries so far"),
        sa.Column("expires", TIME, nullable=True, comment="event time at which the standing ends; null: it does not"),
        sa.Column("score", sa.Float(53), nullable=False, comment="score of its latest window"),
        sa.Column("leakage", sa.Float(53), nullable=True, comment="leakage so far; null: not enough known"),
        sa.Column("last", TIME, nullable=False, comment="event time of its latest query"),
        sa.Column(
            "population",
            sa.Text(),
            nullable=False,
            comment="version of the population that its evidence was reckoned under",
        ),
        sa.Column(
            "policy", sa.Text(), nullable=False, comment="version of the policy that its evidence was reckoned under"
        ),
        sa.Column(
            "data",
            sa.LargeBinary(),
            nullable=False,
            comment="the detector's memory of the client: named, versioned sections; no pickle, no raw input",
        ),
        sa.Column("written", TIME, server_default=NOW, nullable=False, comment="when this row was last written"),
        sa.PrimaryKeyConstraint("client", "model", name="pk_snapshots"),
        comment="What the detector remembers of each client and model.",
    )
    op.create_index("ix_snapshots_partition", "snapshots", ["topic", "partition"])


def _standings() -> None:
    op.create_table(
        "standings",
        sa.Column("client", sa.Text(), nullable=False, comment="who"),
        sa.Column("model", sa.Text(), nullable=False, comment="with which model"),
        sa.Column("tenant", sa.Text(), nullable=True, comment="the client's tenant as last stated; null: never stated"),
        sa.Column("standing", sa.Text(), nullable=False, comment="clear, watched, suspected or confirmed"),
        sa.Column("since", TIME, nullable=False, comment="event time of the latest verdict"),
        sa.Column("serial", sa.Integer(), nullable=False, comment="serial of the latest verdict"),
        sa.Column("episode", sa.Integer(), nullable=False, comment="the latest episode"),
        sa.Column("action", sa.Text(), nullable=False, comment="what the policy answers this standing with"),
        sa.Column("shadow", sa.Boolean(), nullable=False, comment="true: that answer is not enforced"),
        sa.Column("score", sa.Float(53), nullable=False, comment="score of the latest verdict"),
        sa.Column(
            "leakage", sa.Float(53), nullable=True, comment="leakage at the latest verdict; null: not enough known"
        ),
        sa.Column("queries", sa.BigInteger(), nullable=False, comment="queries when the latest verdict was reached"),
        sa.Column("population", sa.Text(), nullable=False, comment="version of the population judged against"),
        sa.Column("policy", sa.Text(), nullable=False, comment="version of the policy in force then"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, in one sentence"),
        sa.Column("verdict", sa.Uuid(), nullable=False, comment="id of the latest verdict"),
        sa.Column("written", TIME, server_default=NOW, nullable=False, comment="when this row was last written"),
        sa.PrimaryKeyConstraint("client", "model", name="pk_standings"),
        comment="Where each client stands with each model: the head of its verdicts.",
    )


def _verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("client", sa.Text(), nullable=False, comment="who asked"),
        sa.Column("model", sa.Text(), nullable=False, comment="the model asked"),
        sa.Column("serial", sa.Integer(), nullable=False, comment="1, 2, ... for each client and model"),
        sa.Column("at", TIME, nullable=False, comment="event time of the record that decided"),
        sa.Column("id", sa.Uuid(), nullable=False, comment="the same whenever the same records are judged again"),
        sa.Column("tenant", sa.Text(), nullable=True, comment="the client's tenant as last stated; null: never stated"),
        sa.Column("episode", sa.Integer(), nullable=False, comment="1, 2, ... for each client and model"),
        sa.Column(
            "standing", sa.Text(), nullable=False, comment="clear, watched, suspected or confirmed, from here on"
        ),
        sa.Column("previous", sa.Text(), nullable=False, comment="the standing before"),
        sa.Column("cause", sa.Text(), nullable=False, comment="evidence, expiry, lift or label"),
        sa.Column(
            "action",
            sa.Text(),
            nullable=False,
            comment="what the policy answers with: allow, perturb, throttle or block",
        ),
        sa.Column("seconds", sa.BigInteger(), nullable=False, comment="how long that action is to hold"),
        sa.Column("shadow", sa.Boolean(), nullable=False, comment="true: recorded and delivered, not enforced"),
        sa.Column(
            "score",
            sa.Float(53),
            nullable=False,
            comment="0 to 1: how strongly the evidence speaks against an ordinary client",
        ),
        sa.Column(
            "leakage",
            sa.Float(53),
            nullable=True,
            comment="0 to 1: how much of the model the client has learnt; null: not enough known",
        ),
        sa.Column(
            "queries",
            sa.BigInteger(),
            nullable=False,
            comment="readable queries of this client with this model when the verdict was reached",
        ),
        sa.Column(
            "population", sa.Text(), nullable=False, comment="version of the population judged against; empty: none"
        ),
        sa.Column("policy", sa.Text(), nullable=False, comment="version of the policy in force"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, in one sentence"),
        sa.Column("topic", sa.Text(), nullable=False, comment="topic of the record that decided"),
        sa.Column("partition", sa.Integer(), nullable=False, comment="its partition"),
        sa.Column("record_offset", sa.BigInteger(), nullable=False, comment="its offset"),
        sa.Column("record_row", sa.Integer(), nullable=False, comment="its row inside a batch record, else 0"),
        sa.Column(
            "written", TIME, server_default=NOW, nullable=False, comment="when the checkpoint that holds it was written"
        ),
        sa.PrimaryKeyConstraint("client", "model", "serial", "at", name="pk_verdicts"),
        comment="Each change of a standing. Appended, never edited. Partitioned by day of event time.",
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_verdicts_at", "verdicts", ["at"])
    op.create_index("ix_verdicts_id", "verdicts", ["id"])
    op.execute("CREATE TABLE verdicts_default PARTITION OF verdicts DEFAULT")
