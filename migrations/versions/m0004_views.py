"""Step 4: the analysts' interface. Views with a comment on every column; what they may read is in `roles.py`."""

from alembic import op

from migrations.views import comment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ACTIVE_DECISIONS = """
CREATE VIEW active_decisions AS
SELECT head.scope, head.value, head.model, head.action, head.until, head.origin, head.shadow, decision.reason,
       head.serial, head.decision, decision.verdict, head.episode, decision.who, decision.made
FROM decision_heads AS head
JOIN decisions AS decision ON decision.id = head.decision
WHERE head.until > now() AND (head.action <> 'allow' OR head.origin <> 'detector')
"""

CLIENT_LATEST = """
CREATE VIEW client_latest AS
SELECT snapshot.client, snapshot.model, snapshot.tenant,
       coalesce(standing.standing, 'clear') AS standing, standing.since,
       snapshot.score, snapshot.leakage,
       coalesce(standing.action, 'allow') AS action, coalesce(standing.shadow, false) AS shadow,
       coalesce(standing.episode, 0) AS episode, coalesce(standing.serial, 0) AS serial,
       snapshot.queries, snapshot.last, snapshot.population, snapshot.policy, standing.reason, standing.verdict,
       snapshot.written AS saved
FROM snapshots AS snapshot
LEFT JOIN standings AS standing USING (client, model)
"""

TOP_SUSPECTS_24H = """
CREATE VIEW top_suspects_24h AS
SELECT recent.client, recent.model, standing.tenant, standing.standing, recent.highest_score, recent.highest_leakage,
       recent.verdicts, recent.first_at, recent.last_at, standing.action, standing.shadow, standing.reason
FROM (
    SELECT client, model, max(score) AS highest_score, max(leakage) AS highest_leakage, count(*) AS verdicts,
           min(at) AS first_at, max(at) AS last_at
    FROM verdicts
    WHERE at > now() - interval '24 hours' AND standing <> 'clear'
    GROUP BY client, model
) AS recent
JOIN standings AS standing USING (client, model)
ORDER BY recent.highest_score DESC, recent.last_at DESC
LIMIT 100
"""

VIEWS = {
    "active_decisions": (ACTIVE_DECISIONS, "Decisions in force now, of people and of the detector, shadow ones too."),
    "client_latest": (CLIENT_LATEST, "Where each client stands with each model it has asked."),
    "top_suspects_24h": (
        TOP_SUSPECTS_24H,
        "The 100 clients whose verdicts of the last 24 hours (event time) weigh most.",
    ),
}

COLUMNS = {
    "active_decisions": {
        "scope": "client_id, tenant or ip",
        "value": "which client, tenant or address",
        "model": "which model; *: every model",
        "action": "allow, perturb, throttle or block",
        "until": "when it ends by itself",
        "origin": "detector, person or allowlist",
        "shadow": "true: recorded and delivered, not enforced",
        "reason": "why, in one sentence",
        "serial": "the newest serial of this scope, value and model",
        "decision": "the number on the wire",
        "verdict": "the verdict behind it; null: a person's",
        "episode": "the episode it belongs to; null: a person's",
        "who": "the person who took it; null: the detector",
        "made": "when it was written",
    },
    "client_latest": {
        "client": "who",
        "model": "with which model",
        "tenant": "the client's tenant as last stated; null: never stated",
        "standing": "clear, watched, suspected or confirmed",
        "since": "event time of the latest verdict; null: there was never one",
        "score": "score of its latest window",
        "leakage": "leakage so far; null: not enough known",
        "action": "what the policy answers this standing with; see active_decisions for what is in force",
        "shadow": "true: that answer is not enforced",
        "episode": "the latest episode; 0: there was never one",
        "serial": "serial of the latest verdict; 0: there was never one",
        "queries": "readable queries so far",
        "last": "event time of its latest query",
        "population": "version of the population it is judged against",
        "policy": "version of the policy it is judged under",
        "reason": "why the latest verdict was reached; null: there was never one",
        "verdict": "id of the latest verdict; null: there was never one",
        "saved": "when the detector last saved its memory of this client",
    },
    "top_suspects_24h": {
        "client": "who",
        "model": "with which model",
        "tenant": "the client's tenant as last stated; null: never stated",
        "standing": "where it stands now",
        "highest_score": "the highest score of the last 24 hours",
        "highest_leakage": "the highest leakage of the last 24 hours; null: not enough known",
        "verdicts": "verdicts of the last 24 hours",
        "first_at": "event time of the first of them",
        "last_at": "event time of the last of them",
        "action": "what the policy answers its standing with",
        "shadow": "true: that answer is not enforced",
        "reason": "why its latest verdict was reached",
    },
}


def upgrade() -> None:
    for view, (definition, meaning) in VIEWS.items():
        op.execute(definition)
        comment("VIEW", (view,), meaning)
        for column, says in COLUMNS[view].items():
            comment("COLUMN", (view, column), says)


def downgrade() -> None:
    op.execute("DROP VIEW top_suspects_24h")
    op.execute("DROP VIEW client_latest")
    op.execute("DROP VIEW active_decisions")
