"""The variables that this installation may be told by. Adding one is an entry here and a member of Settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detector.brokers import MECHANISMS, PROTOCOLS
from gamekeeper import forms


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable: how it is read and what it means. `parse` raises ValueError with what would be right."""

    name: str
    default: str
    parse: Callable[[str], Any]
    meaning: str
    secret: bool = False

    @property
    def member(self) -> str:
        """Its name in Settings."""
        return self.name.removeprefix("GAMEKEEPER_").lower()


SETTINGS: tuple[Setting, ...] = (
    Setting("KAFKA_BOOTSTRAP_SERVERS", "", forms.servers, "Kafka: host:port, several with commas between"),
    Setting(
        "GAMEKEEPER_KAFKA_PROTOCOL",
        "PLAINTEXT",
        forms.one_of(*PROTOCOLS),
        f"how brokers are spoken to: {', '.join(PROTOCOLS)}",
    ),
    Setting(
        "GAMEKEEPER_KAFKA_CA", "", forms.existing_file, "whose certificates brokers may have (PEM); else the system's"
    ),
    Setting(
        "GAMEKEEPER_KAFKA_CERT",
        "",
        forms.existing_file,
        "our certificate for brokers that ask for one (PEM, the chain)",
    ),
    Setting("GAMEKEEPER_KAFKA_KEY", "", forms.existing_file, "its private key (PEM, not encrypted)"),
    Setting("GAMEKEEPER_KAFKA_MECHANISM", MECHANISMS[0], forms.one_of(*MECHANISMS), "how we log in (SASL)"),
    Setting("GAMEKEEPER_KAFKA_USER", "", forms.text, "who logs in to Kafka (SASL)"),
    Setting("GAMEKEEPER_KAFKA_PASSWORD", "", forms.text, "its password", secret=True),
    Setting("DATABASE_URL", "", forms.database, "Postgres, as an SQLAlchemy URL", secret=True),
    Setting("GAMEKEEPER_POLICY", "", forms.existing_file, "policy file (TOML); the defaults need none"),
    Setting(
        "GAMEKEEPER_TOPIC_PREFIX",
        "",
        forms.matching(r"[A-Za-z0-9._-]{0,100}", "letters, digits, dot, dash and underscore"),
        "put before the name of every topic",
    ),
    Setting(
        "GAMEKEEPER_SCHEMA",
        "public",
        forms.matching(r"[a-z_][a-z0-9_]{0,62}", "a lower-case Postgres name"),
        "schema of the tables in Postgres",
    ),
    Setting("GAMEKEEPER_GROUP", "gamekeeper-detect", forms.name, "consumer group of detect"),
    Setting(
        "GAMEKEEPER_MEMBER",
        "",
        forms.matching(r"[A-Za-z0-9._-]{0,100}", "letters, digits, dot, dash and underscore"),
        "static membership: the name of this detect in its group; no two have the same",
    ),
    Setting("GAMEKEEPER_SESSION_SECONDS", "10", forms.seconds, "a detect unheard of for so long loses its partitions"),
    Setting("GAMEKEEPER_PARTITIONS", "8", forms.whole(1, 10_000), "partitions of a topic that `topics` creates"),
    Setting(
        "GAMEKEEPER_WEBHOOKS", "", forms.named, "who is alerted: name=url, several with commas between", secret=True
    ),
    Setting(
        "GAMEKEEPER_WEBHOOK_SECRET",
        "",
        forms.signing_secret,
        "signs webhooks (Standard Webhooks): whsec_…",
        secret=True,
    ),
    Setting("GAMEKEEPER_WEBHOOK_PRIVATE", "no", forms.yes, "allow webhooks to private addresses"),
    Setting(
        "GAMEKEEPER_PUSH",
        "",
        forms.named,
        "gateways that get decisions by HTTP: name=url, with commas between",
        secret=True,
    ),
    Setting("GAMEKEEPER_PUSH_TOKEN", "", forms.text, "what a gateway demands of who pushes decisions", secret=True),
    Setting(
        "GAMEKEEPER_CHANNELS",
        "",
        forms.existing_file,
        "more channels (TOML): Slack, Teams, PagerDuty, Alertmanager, OCSF, syslog, e-mail, CrowdSec, HAProxy",
    ),
    Setting("GAMEKEEPER_URL", "", forms.web, "where people reach the api; alerts link to it; empty: no links"),
    Setting(
        "GAMEKEEPER_LINK_SECRET",
        "",
        forms.long_secret,
        "signs links in alerts that approve a block; the same for deliver and api; empty: no such links",
        secret=True,
    ),
    Setting("GAMEKEEPER_HOST", "127.0.0.1", forms.text, "address that gateway, api and metrics listen on"),
    Setting("GAMEKEEPER_GATEWAY_PORT", "8080", forms.port, "port of the gateway"),
    Setting("GAMEKEEPER_GATEWAY_NAME", "gateway", forms.name, "this gateway in gateway_status"),
    Setting("GAMEKEEPER_GATEWAY_FAIL_OPEN", "yes", forms.yes, "serve while the decisions in force are not known yet"),
    Setting("GAMEKEEPER_GATEWAY_AGE_HEADER", "no", forms.yes, "tell clients how old the table of decisions is"),
    Setting("GAMEKEEPER_GATEWAY_POLICY", "", forms.existing_file, "gateway's policy (TOML): limits, answers, tokens"),
    Setting(
        "GAMEKEEPER_GATEWAY_SECRET",
        "",
        forms.long_secret,
        "keys noise and marks; the same at each gateway",
        secret=True,
    ),
    Setting("GAMEKEEPER_LIMITS_STORE", "", forms.text, "Redis that gateways count limits in: redis://…", secret=True),
    Setting("GAMEKEEPER_LIMITS_OPEN", "yes", forms.yes, "while that Redis is away count locally; no: refuse"),
    Setting("GAMEKEEPER_API_PORT", "8081", forms.port, "port of the api"),
    Setting("GAMEKEEPER_CONSOLE", "yes", forms.yes, "the api has a web page for people at /, opened by their API keys"),
    Setting("GAMEKEEPER_AUTHZ", "no", forms.yes, "the api answers inline checks of proxies (/authz), and needs Kafka"),
    Setting(
        "GAMEKEEPER_AUTHZ_CLIENT_HEADER",
        "",
        forms.header,
        "header in which the proxy names the client; empty: an API key or token says it, as at our gateway",
    ),
    Setting(
        "GAMEKEEPER_AUTHZ_TENANT_HEADER", "", forms.header, "header in which the proxy names the tenant, beside that"
    ),
    Setting(
        "GAMEKEEPER_AUTHZ_GRPC_PORT", "", forms.port_or_none, "port of the checks for Envoy over gRPC; empty: none"
    ),
    Setting(
        "GAMEKEEPER_METRICS_PORT",
        "",
        forms.port_or_none,
        "port of detect's or deliver's /metrics and /healthz; empty: none",
    ),
    Setting(
        "GAMEKEEPER_MODELS",
        "",
        forms.existing_folder,
        "folder of the models that the gateway serves: NAME.keras, NAME/VERSION.keras or NAME/VERSION/ (SavedModel)",
    ),
    Setting("GAMEKEEPER_RELOAD_SECONDS", "5", forms.seconds, "time between two looks at that folder; SIGHUP looks now"),
    Setting("GAMEKEEPER_TLS_CERT", "", forms.existing_file, "gateway's certificate chain (PEM): serve HTTPS"),
    Setting("GAMEKEEPER_TLS_KEY", "", forms.existing_file, "its private key (PEM, not encrypted)"),
    Setting("GAMEKEEPER_MODEL_KEY", "", forms.text, "API key with which `learn --model URL` asks", secret=True),
    Setting(
        "GAMEKEEPER_KEY_PEPPER",
        "",
        forms.text,
        "under which API keys are hashed, the same for `keys` and every gateway; another makes all keys unknown",
        secret=True,
    ),
    Setting(
        "GAMEKEEPER_MARKS_KEY",
        "",
        forms.fernet_key,
        "encrypts the inputs of marked answers (DAWN) in Postgres; empty: none are kept",
        secret=True,
    ),
    Setting("GAMEKEEPER_CHECKPOINT_SECONDS", "1", forms.seconds, "longest time between two checkpoints"),
    Setting(
        "GAMEKEEPER_CHECKPOINT_QUERIES", "50000", forms.whole(1, 10_000_000), "most queries between two checkpoints"
    ),
    Setting(
        "GAMEKEEPER_CLIENTS_MAX", "40000", forms.whole(100, 100_000_000), "clients a detect process keeps in memory"
    ),
    Setting(
        "GAMEKEEPER_LEARN_SECONDS",
        "40",
        forms.seconds,
        "after partitions were added, until every producer knows (metadata.max.age.ms; 30 s at our gateway)",
    ),
    Setting(
        "GAMEKEEPER_RETAIN",
        "",
        forms.days,
        "days that `retain` keeps a table's rows, where not the usual: verdicts=90,deliveries=7",
    ),
    Setting("GAMEKEEPER_DATA", "~/.local/share/gamekeeper", forms.path, "folder of `up`: everything embedded"),
    Setting("GAMEKEEPER_CACHE", "~/.cache/gamekeeper", forms.path, "folder for what is fetched once"),
    Setting(
        "GAMEKEEPER_LOG_FORMAT",
        "auto",
        forms.one_of("auto", "json", "console"),
        "json, console, or auto: console on a terminal",
    ),
    Setting(
        "GAMEKEEPER_LOG_LEVEL",
        "info",
        forms.one_of("debug", "info", "warning", "error"),
        "least level that is logged",
    ),
)
XDG = {"GAMEKEEPER_DATA": "XDG_DATA_HOME", "GAMEKEEPER_CACHE": "XDG_CACHE_HOME"}
