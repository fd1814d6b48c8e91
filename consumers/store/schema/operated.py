"""Tables of the running system: offsets, gaps, unreadable records, versions in force, gateways."""

from typing import Any

from sqlalchemy import Column, Identity, Index, Table, func
from sqlalchemy.dialects.postgresql import ARRAY

from consumers.store.schema.columns import (
    BYTES,
    FLAG,
    INT,
    LONG,
    REAL,
    TEXT,
    TIME,
    count,
    key,
    may,
    metadata,
    must,
    stamp,
)


def _life() -> list[Column[Any]]:
    """Return the columns that name one life of a topic, as read by one consumer group."""
    return [
        key("consumer_group", TEXT, "Kafka's consumer group"),
        key("topic", TEXT, "Kafka's topic"),
        key("topic_id", TEXT, "Kafka's id of this life of the topic; empty: unknown"),
    ]


def _place() -> list[Column[Any]]:
    """Return the columns that name one partition of one life of a topic, as read by one consumer group."""
    return [*_life(), key("partition", INT, "Kafka's partition")]


offsets = Table(
    "offsets",
    metadata,
    *_place(),
    count("epoch", "raised by each new owner; a checkpoint under an older one is refused"),
    may("next", LONG, "the first offset that is not accounted for; null: never read"),
    may("snapshot_next", LONG, "where a new owner resumes: snapshots hold everything before it"),
    count("scored", "predictions judged"),
    count("counted", "predictions counted only: answered 4xx or 5xx, repeated, or cold"),
    count("unreadable", "predictions set aside"),
    count("lost", "records that Kafka removed before they were read"),
    count("snapshot_scored", "scored, as of snapshot_next"),
    count("snapshot_counted", "counted, as of snapshot_next"),
    count("snapshot_unreadable", "unreadable, as of snapshot_next"),
    may("policy", TEXT, "version of the policy of the latest checkpoint"),
    may("claimed", TIME, "when the present owner came; null: never owned"),
    may("saved", TIME, "when the latest checkpoint was written; null: none yet"),
    comment="How far each partition is accounted for, and by whom.",
)

gaps = Table(
    "gaps",
    metadata,
    *_place(),
    key("first_lost", LONG, "the first offset that was gone"),
    must("read_again", LONG, "the first offset that could be read again"),
    stamp("found", "when it was noticed"),
    comment="Records that Kafka's retention removed before they were read.",
)

layouts = Table(
    "layouts",
    metadata,
    *_life(),
    key("partitions", INT, "how many partitions it has"),
    may(
        "ends",
        ARRAY(LONG),
        "where each partition of the layout before it ended, once every producer knew of this one: added "
        "partitions are read when all are saved so far; empty: the first layout; null: not all producers know yet",
    ),
    stamp("noticed", "when detect saw it first"),
    comment="How many partitions a topic has had, one row each time there were more.",
)

unreadable = Table(
    "unreadable",
    metadata,
    *_place(),
    key("record_offset", LONG, "offset of the record"),
    key("record_row", INT, "row inside a batch record; -1: the whole record"),
    must("reason", TEXT, "which member is wrong, and how"),
    must("head", BYTES, "the first 4 KiB of the record"),
    stamp("found", "when it was set aside"),
    comment="Records, or single rows of them, that do not keep the contract. Nothing was scored of them.",
)
Index("ix_unreadable_found", unreadable.c.found)

populations = Table(
    "populations",
    metadata,
    key("version", TEXT, "16 hexadecimal digits of the content"),
    must("model", TEXT, "whose ordinary clients these are"),
    must("clients", LONG, "ordinary clients it was learnt from"),
    must("known", LONG, "those of them with enough queries to count"),
    must("queries", LONG, "queries it was learnt from"),
    must("cold", FLAG, "true: too few ordinary clients, decisions stay in shadow"),
    must("since", TIME, "event time of the first query it was learnt from"),
    must("until", TIME, "event time of the last query it was learnt from"),
    must("data", BYTES, "the .gk file with this one population"),
    Column("wanted", FLAG, nullable=False, server_default="false", comment="true: partitions take it up"),
    stamp("added", "when it was put here"),
    must("who", TEXT, "who put it here"),
    comment="What ordinary clients look like, one row a version, never changed.",
)
Index("uq_populations_wanted", populations.c.model, unique=True, postgresql_where=populations.c.wanted)

in_force = Table(
    "in_force",
    metadata,
    *_place(),
    key("model", TEXT, "the model judged"),
    key("from_offset", LONG, "the first offset judged under it"),
    must("population", TEXT, "populations.version"),
    stamp("adopted", "when that checkpoint was written"),
    comment="From which offset on each partition judges a model under which population.",
)

policies = Table(
    "policies",
    metadata,
    key("version", TEXT, "12 hexadecimal digits of the content"),
    must("content", TEXT, "the policy as JSON, every member written out"),
    stamp("added", "when it was first used"),
    comment="Thresholds, actions and durations, one row a version, never changed.",
)

policy_changes = Table(
    "policy_changes",
    metadata,
    Column("id", LONG, Identity(always=True), primary_key=True, comment="the newest is the policy that is wanted"),
    stamp("at", "when"),
    must("policy", TEXT, "policies.version"),
    must("who", TEXT, "who wanted it; detect: it started with this in its file"),
    must("why", TEXT, "in that person's words"),
    comment="Which policy was wanted when: every partition takes the newest up at its next checkpoint.",
)

policies_in_force = Table(
    "policies_in_force",
    metadata,
    *_place(),
    key("from_offset", LONG, "the first offset judged under it"),
    must("policy", TEXT, "policies.version"),
    stamp("adopted", "when that checkpoint was written"),
    comment="From which offset on each partition judges under which policy.",
)

gateways = Table(
    "gateways",
    metadata,
    key("name", TEXT, "the gateway's name"),
    may("applied_decision", LONG, "id of the newest decision it has applied; null: none yet"),
    may("applied_serial", LONG, "that decision's serial"),
    must("decisions", LONG, "decisions in its table"),
    may("table_age_seconds", REAL, "how long ago it last heard from its feed; null: never"),
    must("dropped", LONG, "records its query log had to drop since it started"),
    must("reported", TIME, "its own time of the report"),
    Column("heard", TIME, nullable=False, server_default=func.now(), comment="when the report was written here"),
    comment="What each gateway last said of itself.",
)
