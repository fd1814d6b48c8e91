"""Step 13: more of the analysts' interface, about clients. Each view's comment begins with its version."""

from migrations.views import View, comment, create, drop

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

CLIENT_DAILY = """
CREATE VIEW client_daily AS
SELECT client, model, date_trunc('day', at, 'UTC') AS day, max(tenant) AS tenant,
       count(*) AS verdicts, count(DISTINCT episode) AS episodes,
       (ARRAY['clear', 'watched', 'suspected', 'confirmed'])[
           max(array_position(ARRAY['clear', 'watched', 'suspected', 'confirmed'], standing))] AS highest_standing,
       max(score) AS highest_score, max(leakage) AS highest_leakage, max(queries) AS queries,
       count(*) FILTER (WHERE action = 'block' AND NOT shadow) AS blocks
FROM verdicts
GROUP BY client, model, date_trunc('day', at, 'UTC')
"""

# The episode's bounds are said of the verdict, and the verdict's time of its evidence: so a few days are read, not all.
# A client's records may run back in time, within a day.
EPISODE_TIMELINE = """
CREATE VIEW episode_timeline AS
SELECT episode.client, episode.model, episode.number AS episode, episode.id, episode.tenant,
       episode.opened, episode.closed, verdict.at, verdict.serial, verdict.previous, verdict.standing, verdict.cause,
       verdict.action, verdict.shadow, verdict.score, verdict.leakage, verdict.queries, verdict.reason,
       spoke.signals, spoke.because, verdict.id AS verdict, verdict.population, verdict.policy, verdict.written
FROM episodes AS episode
JOIN verdicts AS verdict
  ON verdict.client = episode.client AND verdict.model = episode.model AND verdict.episode = episode.number
 AND verdict.at >= episode.opened - interval '1 day'
 AND verdict.at <= coalesce(episode.closed, 'infinity') + interval '1 day'
CROSS JOIN LATERAL (
    SELECT array_agg(reading.signal ORDER BY reading.position) AS signals,
           array_agg(reading.because ORDER BY reading.position) AS because
    FROM evidence AS reading WHERE reading.verdict = verdict.id AND reading.at = verdict.at
) AS spoke
"""

LEAKAGE_BY_CLIENT = """
CREATE VIEW leakage_by_client AS
SELECT snapshot.client, snapshot.model, snapshot.tenant, snapshot.leakage, snapshot.queries,
       coalesce(standing.standing, 'clear') AS standing, snapshot.last, snapshot.written AS saved
FROM snapshots AS snapshot
LEFT JOIN standings AS standing USING (client, model)
WHERE snapshot.leakage IS NOT NULL
"""

VIEWS = {
    "client_daily": View(
        CLIENT_DAILY,
        "v1. What was judged of each client, model and day (UTC, event time); days without a verdict have no row.",
        {
            "client": "who",
            "model": "with which model",
            "day": "00:00 UTC of the day",
            "tenant": "the client's tenant as stated that day; null: not stated",
            "verdicts": "changes of standing that day",
            "episodes": "episodes that they belong to",
            "highest_standing": "the highest standing reached that day",
            "highest_score": "the highest score that day",
            "highest_leakage": "the highest leakage that day; null: not enough known",
            "queries": "readable queries of this client so far, at that day's last verdict",
            "blocks": "verdicts that called for an enforced block",
        },
    ),
    "episode_timeline": View(
        EPISODE_TIMELINE,
        "v1. Each episode, verdict by verdict, with the evidence behind each.",
        {
            "client": "who",
            "model": "with which model",
            "episode": "1, 2, ... for each client and model",
            "id": "what alerts call this episode",
            "tenant": "the client's tenant as last stated; null: never stated",
            "opened": "event time of leaving clear",
            "closed": "event time of returning to clear; null: open",
            "at": "event time of the record that decided",
            "serial": "the verdict's serial, of this client and model",
            "previous": "the standing before",
            "standing": "the standing from here on",
            "cause": "evidence, budget, expiry, lift or label",
            "action": "what the policy answered with; see active_decisions for what is in force",
            "shadow": "true: that answer was not enforced",
            "score": "the score then",
            "leakage": "the leakage then; null: not enough known",
            "queries": "readable queries of this client then",
            "reason": "why, in one sentence",
            "signals": "the signals that spoke, the heaviest first; null: none",
            "because": "what they said, in the same order; null: none",
            "verdict": "id of the verdict",
            "population": "version of the population judged against",
            "policy": "version of the policy in force then",
            "written": "when it was written here",
        },
    ),
    "leakage_by_client": View(
        LEAKAGE_BY_CLIENT,
        "v1. How much of each model each client has learnt so far; without a row: not enough known.",
        {
            "client": "who",
            "model": "of which model",
            "tenant": "the client's tenant as last stated; null: never stated",
            "leakage": "0 to 1: the share learnt so far, as estimated",
            "queries": "readable queries that it took",
            "standing": "where the client stands with the model",
            "last": "event time of its latest query",
            "saved": "when the detector last saved its memory of this client",
        },
    ),
}
FIRST = {  # the views of step 4 become version 1
    "active_decisions": "Decisions in force now, of people and of the detector, shadow ones too.",
    "client_latest": "Where each client stands with each model it has asked.",
    "top_suspects_24h": "The 100 clients whose verdicts of the last 24 hours (event time) weigh most.",
}


def upgrade() -> None:
    create(VIEWS)
    for view, meaning in FIRST.items():
        comment("VIEW", (view,), f"v1. {meaning}")


def downgrade() -> None:
    for view, meaning in FIRST.items():
        comment("VIEW", (view,), meaning)
    drop(VIEWS)
