"""Step 14: more of the analysts' interface, about the system itself: how quick, how right, how far."""

from migrations.views import View, create, drop

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TIME_TO_ENFORCE = """
CREATE VIEW time_to_enforce AS
SELECT decision.id AS decision, decision.scope, decision.value, decision.model, decision.action, decision.shadow,
       decision.judged, decision.made, delivery.settled AS published,
       extract(epoch FROM decision.made - decision.judged)::float8 AS seconds_to_decide,
       extract(epoch FROM delivery.settled - decision.made)::float8 AS seconds_to_publish
FROM decisions AS decision
LEFT JOIN deliveries AS delivery
  ON delivery.channel = 'topic' AND delivery.subject = 'decision:' || decision.id AND delivery.outcome = 'delivered'
WHERE decision.origin = 'detector' AND decision.action <> 'allow'
"""

# Of several labels of a client the latest counts, as it does for `learn`.
DETECTOR_QUALITY = """
CREATE VIEW detector_quality AS
WITH labelled AS (
    SELECT DISTINCT ON (episode.client, episode.model, episode.number)
           episode.client, episode.model, episode.number, episode.signals, episode.policy, said.what
    FROM feedback AS said
    JOIN episodes AS episode
      ON episode.client = said.client AND said.model IN (episode.model, '*') AND said.said >= episode.opened
    WHERE said.what <> 'lift'
    ORDER BY episode.client, episode.model, episode.number, said.id DESC
)
SELECT labelled.model, spoke.signal, labelled.policy,
       count(*) FILTER (WHERE what = 'true-positive') AS true_positives,
       count(*) FILTER (WHERE what = 'false-positive') AS false_positives,
       count(*) FILTER (WHERE what = 'authorised-test') AS authorised_tests,
       (count(*) FILTER (WHERE what = 'true-positive'))::float8
           / nullif(count(*) FILTER (WHERE what IN ('true-positive', 'false-positive')), 0) AS precision
FROM labelled CROSS JOIN LATERAL jsonb_array_elements_text(labelled.signals) AS spoke (signal)
GROUP BY labelled.model, spoke.signal, labelled.policy
"""

INGEST_LAG = """
CREATE VIEW ingest_lag AS
SELECT consumer_group, topic, partition, next, snapshot_next, next - snapshot_next AS to_read_again,
       saved, extract(epoch FROM now() - saved)::float8 AS seconds_since_checkpoint,
       scored, counted, unreadable, lost, epoch, claimed, policy
FROM offsets
"""

MODEL_OVERVIEW = """
CREATE VIEW model_overview AS
WITH asked AS (
    SELECT model, count(*) AS clients, sum(queries)::bigint AS queries, max(last) AS last
    FROM snapshots GROUP BY model
), stood AS (
    SELECT model, count(*) FILTER (WHERE standing = 'watched') AS watched,
           count(*) FILTER (WHERE standing = 'suspected') AS suspected,
           count(*) FILTER (WHERE standing = 'confirmed') AS confirmed
    FROM standings GROUP BY model
), open AS (
    SELECT model, count(*) AS episodes FROM episodes WHERE closed IS NULL GROUP BY model
), acted AS (
    SELECT model, count(*) AS decisions FROM decision_heads
    WHERE until > now() AND action <> 'allow' AND NOT shadow GROUP BY model
)
SELECT asked.model, asked.clients, asked.queries, asked.last,
       coalesce(stood.watched, 0) AS watched, coalesce(stood.suspected, 0) AS suspected,
       coalesce(stood.confirmed, 0) AS confirmed, coalesce(open.episodes, 0) AS open_episodes,
       coalesce(acted.decisions, 0) AS enforced_decisions,
       population.version AS population, population.cold, population.clients AS population_clients
FROM asked
LEFT JOIN stood USING (model)
LEFT JOIN open USING (model)
LEFT JOIN acted USING (model)
LEFT JOIN populations AS population ON population.model = asked.model AND population.wanted
"""

VIEWS = {
    "time_to_enforce": View(
        TIME_TO_ENFORCE,
        "v1. How quickly each decision of the detector that acts was taken and published.",
        {
            "decision": "the number on the wire",
            "scope": "client_id, tenant or ip",
            "value": "which client, tenant or address",
            "model": "which model; *: every model",
            "action": "perturb, throttle or block",
            "shadow": "true: recorded and delivered, not enforced",
            "judged": "event time of the record that decided",
            "made": "when the decision was written",
            "published": "when the topic of decisions had it; null: not yet, or forgotten by retention",
            "seconds_to_decide": "from judged to made; much where old records were read",
            "seconds_to_publish": "from made to published; a gateway applies it some milliseconds later",
        },
    ),
    "detector_quality": View(
        DETECTOR_QUALITY,
        "v1. How often each signal was right, by what people said: one count an episode in which it spoke.",
        {
            "model": "of which model",
            "signal": "which signal, each its own kind of evidence; budget: that of leakage was used up",
            "policy": "version of the policy of the episode's latest verdict that acts",
            "true_positives": "episodes of clients labelled true-positive",
            "false_positives": "episodes of clients labelled false-positive",
            "authorised_tests": "episodes of clients labelled authorised-test: neither right nor wrong",
            "precision": "true positives among true and false ones; null: neither was said",
        },
    ),
    "ingest_lag": View(
        INGEST_LAG,
        "v1. How far each partition is accounted for. How many records wait, the metric gamekeeper_lag_records says.",
        {
            "consumer_group": "Kafka's consumer group",
            "topic": "Kafka's topic",
            "partition": "Kafka's partition",
            "next": "the first offset that is not accounted for; null: never read",
            "snapshot_next": "where a new owner resumes; null: never read",
            "to_read_again": "offsets that a new owner reads again",
            "saved": "when the latest checkpoint was written; null: none yet",
            "seconds_since_checkpoint": "how long ago that is; grows where nothing comes, too",
            "scored": "predictions judged",
            "counted": "predictions counted only: answered 4xx or 5xx, repeated, or cold",
            "unreadable": "predictions set aside",
            "lost": "records that Kafka removed before they were read",
            "epoch": "how often the partition changed its owner",
            "claimed": "when the present owner came; null: never owned",
            "policy": "version of the policy of the latest checkpoint; null: none yet",
        },
    ),
    "model_overview": View(
        MODEL_OVERVIEW,
        "v1. Each model that was asked, in one row.",
        {
            "model": "which model",
            "clients": "clients that asked it",
            "queries": "their readable queries",
            "last": "event time of the latest query",
            "watched": "clients that stand watched",
            "suspected": "clients that stand suspected",
            "confirmed": "clients that stand confirmed",
            "open_episodes": "episodes that are not over",
            "enforced_decisions": "decisions in force on this model alone that act and are no shadow",
            "population": "version of the population in use; null: none",
            "cold": "true: that population is too small, decisions stay in shadow; null: none",
            "population_clients": "ordinary clients that it was learnt from; null: none",
        },
    ),
}


def upgrade() -> None:
    create(VIEWS)


def downgrade() -> None:
    drop(VIEWS)
