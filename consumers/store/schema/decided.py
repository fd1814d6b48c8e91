"""Tables of what was decided, what is owed to whom, and what people said and did."""

from typing import Any

from sqlalchemy import Column, Identity, Index, Table, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from consumers.store.schema.columns import (
    FLAG,
    INT,
    LONG,
    TEXT,
    TIME,
    UUID,
    count,
    key,
    may,
    metadata,
    must,
    stamp,
)


def _number(comment: str) -> Column[Any]:
    return Column("id", LONG, Identity(always=True), primary_key=True, comment=comment)


def _subject(column: Any) -> list[Column[Any]]:
    """Return the columns that say what a decision is about."""
    return [
        column("scope", TEXT, "client_id, tenant or ip"),
        column("value", TEXT, "which client, tenant or address"),
        column("model", TEXT, "which model; *: every model"),
    ]


decisions = Table(
    "decisions",
    metadata,
    _number("the number on the wire"),
    *_subject(must),
    must("serial", LONG, "1, 2, ... for each scope, value and model; the newest holds"),
    must("action", TEXT, "allow, perturb, throttle or block"),
    must("until", TIME, "when it ends by itself"),
    must("origin", TEXT, "detector, person or allowlist"),
    must("reason", TEXT, "why, in one sentence"),
    must("shadow", FLAG, "true: recorded and delivered, not enforced"),
    may("verdict", UUID, "the verdict behind it; null: a person's"),
    may("episode", UUID, "the episode it belongs to; null: a person's"),
    may("who", TEXT, "the person who took it; null: the detector"),
    may(
        "judged",
        TIME,
        "event time of the verdict behind it (with it the verdict's day is found); null: a person's",
    ),
    stamp("made", "when it was written"),
    Column(
        "xact",
        LONG,
        nullable=False,
        server_default=text("pg_current_xact_id()::text::bigint"),
        comment="the transaction that wrote it: by it is known what a bouncer has not been told of",
    ),
    UniqueConstraint("scope", "value", "model", "serial"),
    comment="Each decision ever taken. Appended, never edited.",
)
Index("ix_decisions_verdict", decisions.c.verdict)
Index("ix_decisions_made", decisions.c.made)
Index("ix_decisions_xact", decisions.c.xact)

decision_heads = Table(
    "decision_heads",
    metadata,
    *_subject(key),
    count("serial", "the newest serial; 0: none was ever taken"),
    may("decision", LONG, "decisions.id of the newest"),
    Column("action", TEXT, nullable=False, server_default="allow", comment="its action"),
    may("until", TIME, "when it ends by itself; null: none was ever taken"),
    may("origin", TEXT, "detector, person or allowlist"),
    Column("shadow", FLAG, nullable=False, server_default="false", comment="true: not enforced"),
    may("episode", UUID, "the episode it belongs to"),
    may("expired", TIME, "when its end was noticed and told; null: not yet"),
    may("tombstoned", TIME, "when the topic was told to forget it; null: not yet"),
    comment="The newest decision on each scope, value and model: the row that gives out serials.",
)
Index("ix_decision_heads_until", decision_heads.c.until)

deliveries = Table(
    "deliveries",
    metadata,
    _number("deliveries of one channel and key leave in this order"),
    must("channel", TEXT, "where to: topic, keys, or kind and name: push:NAME, webhook:NAME, slack:NAME, ..."),
    must("kind", TEXT, "decision, alert, key, role or tombstone"),
    must("key", TEXT, "what must stay in order: the decision's key, the client and model, the hash, the role"),
    must("subject", TEXT, "what it is about; owed to a channel once"),
    may("payload", TEXT, "the body to send; null: a tombstone"),
    count("attempts", "times it was tried"),
    stamp("due", "when it may be tried next"),
    may("leased", TIME, "until when somebody is trying it; null: nobody"),
    may(
        "outcome",
        TEXT,
        "delivered, given-up or replaced (a newer alert of the same episode says more); null: still owed",
    ),
    may("settled", TIME, "when the outcome was known"),
    may("why", TEXT, "what went wrong last"),
    stamp("made", "when it was owed"),
    UniqueConstraint("channel", "subject"),
    comment="What is owed to each channel: the outbox.",
)
_OWED = deliveries.c.outcome.is_(None)
Index("ix_deliveries_owed", deliveries.c.channel, deliveries.c.key, deliveries.c.id, postgresql_where=_OWED)
Index("ix_deliveries_due", deliveries.c.due, postgresql_where=_OWED)
Index(
    "ix_deliveries_given_up",
    deliveries.c.channel,
    deliveries.c.id,
    postgresql_where=deliveries.c.outcome == text("'given-up'"),
)

proposals = Table(
    "proposals",
    metadata,
    key("verdict", UUID, "the verdict that calls for a block; what the proposal is called by"),
    must("client", TEXT, "whom to block"),
    must("model", TEXT, "at which model"),
    must("episode", UUID, "the episode it belongs to"),
    must("cause", TEXT, "why it waits: approval (the policy wants a person's word) or breaker (it was open)"),
    must("reason", TEXT, "why to block, in one sentence"),
    must("until", TIME, "when the block would end; the proposal ends then, too"),
    must("serial", LONG, "the newest decision on the client and model when it was proposed; a newer one ends it"),
    stamp("made", "when it was proposed"),
    may("outcome", TEXT, "approved or declined; null: nobody has said"),
    may("settled", TIME, "when a person said so"),
    may("who", TEXT, "who said so"),
    may("why", TEXT, "in that person's words"),
    comment="Blocks of the detector that wait for a person's word.",
)
Index("ix_proposals_open", proposals.c.model, proposals.c.made, postgresql_where=proposals.c.outcome.is_(None))

trips = Table(
    "trips",
    metadata,
    key("id", UUID, "what its alert is called by"),
    must("model", TEXT, "of which model"),
    stamp("opened", "when too many would have been blocked; from then on the detector's decisions are in shadow"),
    must("blocked", LONG, "clients that would have been newly blocked within the policy's time"),
    must("clients", LONG, "clients that asked within that time"),
    must("reason", TEXT, "the same in words"),
    must("policy", TEXT, "version of the policy that set the limits"),
    Column("told", JSONB(), nullable=False, comment="channels that are to hear its end"),
    may("closed", TIME, "when a person closed it; null: it is open"),
    may("who", TEXT, "who closed it"),
    may("why", TEXT, "in that person's words"),
    comment="Each time the circuit breaker opened.",
)
Index("uq_trips_open", trips.c.model, unique=True, postgresql_where=trips.c.closed.is_(None))

feedback = Table(
    "feedback",
    metadata,
    _number("in the order in which it was said"),
    must("client", TEXT, "of whom"),
    must("model", TEXT, "with which model; *: every model"),
    must("what", TEXT, "lift, false-positive, true-positive or authorised-test"),
    must("why", TEXT, "in the person's words"),
    must("who", TEXT, "who said it"),
    stamp("said", "when"),
    may("heard", TIME, "when the detector took it in; null: not yet"),
    may("topic", TEXT, "the point of the client's stream at which it was taken in: topic,"),
    may("partition", INT, "partition"),
    may("record_offset", LONG, "and the first offset judged after it"),
    comment="What people said of clients: an input of the detector at a recorded point.",
)
Index("ix_feedback_pending", feedback.c.client, postgresql_where=feedback.c.heard.is_(None))

suppressions = Table(
    "suppressions",
    metadata,
    key("client", TEXT, "of whom"),
    key("model", TEXT, "with which model"),
    key("signal", TEXT, "which signal, each its own kind of evidence; budget: the leakage's"),
    must("until", TIME, "when it speaks again"),
    must("feedback", LONG, "feedback.id of the label behind it"),
    comment="Evidence that a label explained: verdicts on it alone act in shadow and alert nobody until then.",
)

allowlist = Table(
    "allowlist",
    metadata,
    *_subject(key),
    must("until", TIME, "when the entry ends"),
    must("why", TEXT, "in the person's words"),
    must("who", TEXT, "who added it"),
    stamp("added", "when"),
    comment="Who is never acted against. Checked when a decision is written.",
)

api_keys = Table(
    "api_keys",
    metadata,
    key("hash", TEXT, "HMAC-SHA256 of the key under the pepper (none: SHA-256), hexadecimal; the key is nowhere"),
    must("prefix", TEXT, "the key's first eight characters, to recognise it by"),
    must("kind", TEXT, "client (asks at a gateway), bouncer (pulls decisions) or api (asks the REST API)"),
    must("client", TEXT, "the client or bouncer it identifies"),
    may("tenant", TEXT, "the client's tenant; null: none"),
    must("roles", ARRAY(TEXT), "what it may do"),
    may("expires", TIME, "when it ends; null: never"),
    may("revoked", TIME, "when it was revoked; null: it was not"),
    stamp("added", "when it was made"),
    must("who", TEXT, "who made it"),
    comment="API keys, hashed.",
)
Index("ix_api_keys_prefix", api_keys.c.prefix)

sessions = Table(
    "sessions",
    metadata,
    key("hash", TEXT, "SHA-256 of what the cookie holds, hexadecimal; that is nowhere"),
    must("key", TEXT, "api_keys.hash of the key that was logged in with"),
    stamp("started", "when that was"),
    must("ends", TIME, "when it ends by itself"),
    comment="Who is logged in at the console. Whoever logs out is no longer here.",
)
Index("ix_sessions_key", sessions.c.key)

bouncers = Table(
    "bouncers",
    metadata,
    key("key", TEXT, "api_keys.hash of the key it pulls with"),
    key("address", TEXT, "where it pulls from"),
    must("seen", TEXT, "the transactions it was told of twice, as pg_snapshot"),
    must("at", TIME, "when those were all that had committed"),
    may("next_seen", TEXT, "the transactions it was told of once; null: the same"),
    may("next_at", TIME, "when those were all that had committed"),
    stamp("pulled", "when it last pulled"),
    must("agent", TEXT, "what it calls itself: its User-Agent"),
    comment="How far each bouncer has been told of the decisions, by key and address.",
)

roles = Table(
    "roles",
    metadata,
    key("name", TEXT, "what keys and tokens call it"),
    must("models", ARRAY(TEXT), "names of models, or patterns with *, ? and [abc]"),
    must("operations", ARRAY(TEXT), "predict (ask), metadata (look)"),
    may("day", LONG, "rows a client may ask in a day (UTC); null: says nothing of it"),
    may("month", LONG, "rows a client may ask in a month (UTC); null: says nothing of it"),
    stamp("changed", "when it was last written"),
    must("who", TEXT, "who wrote it"),
    comment="Roles: what API keys and tokens may do at gateways.",
)

audit_log = Table(
    "audit_log",
    metadata,
    _number("in the order in which it was done"),
    stamp("at", "when"),
    must("who", TEXT, "who did it"),
    must("what", TEXT, "block, throttle, perturb, allow, lift, label, allowlist-add, ..."),
    must("target", TEXT, "to whom or what"),
    must("why", TEXT, "in the person's words"),
    must("details", JSONB(), "the rest, without secrets"),
    comment="What people did.",
)
Index("ix_audit_log_target", audit_log.c.target, audit_log.c.at)
