"""Where this installation runs: the only reader of the environment. What we believe of clients is policy.

An unset and an empty variable are the same. A secret may come from a file instead: NAME_FILE holds its path.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.brokers import MECHANISMS, PROTOCOLS
from gamekeeper import forms

ENDPOINTS = "endpoints.json"  # in the data folder of a running `up`: where everything is


class BadSettings(ValueError):  # noqa: N818  # named for what it says to the operator
    """A setting that cannot be used; the message names it, says what is wrong and what would be right."""

    for_people = True  # the command line prints the message as it is


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked. The members are named after the variables, without GAMEKEEPER_."""

    kafka_bootstrap_servers: str
    kafka_protocol: str
    kafka_ca: Path | None
    kafka_cert: Path | None
    kafka_key: Path | None
    kafka_mechanism: str
    kafka_user: str
    kafka_password: str
    database_url: str
    policy: Path | None
    topic_prefix: str
    schema: str
    group: str
    member: str
    session_seconds: float
    partitions: int
    webhooks: forms.Named
    webhook_secret: str
    webhook_private: bool
    push: forms.Named
    push_token: str
    channels: Path | None
    url: str
    link_secret: str
    host: str
    gateway_port: int
    gateway_name: str
    gateway_fail_open: bool
    gateway_age_header: bool
    gateway_policy: Path | None
    gateway_secret: str
    limits_store: str
    limits_open: bool
    api_port: int
    authz: bool
    authz_client_header: str
    authz_tenant_header: str
    authz_grpc_port: int | None
    metrics_port: int | None
    models: Path | None
    reload_seconds: float
    tls_cert: Path | None
    tls_key: Path | None
    model_key: str
    key_pepper: str
    marks_key: str
    checkpoint_seconds: float
    checkpoint_queries: int
    clients_max: int
    learn_seconds: float
    retain: forms.Days
    data: Path
    cache: Path
    log_format: str
    log_level: str

    def need_kafka(self) -> str:
        """Return Kafka's bootstrap servers, else those of a running `up`. Raises BadSettings where there are none."""
        return _need(self.kafka_bootstrap_servers or _of_up(self.data, "kafka"), "KAFKA_BOOTSTRAP_SERVERS")

    def need_database(self) -> str:
        """Return the database URL, else that of a running `up`. Raises BadSettings where there is none."""
        return _need(self.database_url or _of_up(self.data, "database"), "DATABASE_URL")


def _need(value: str, name: str) -> str:
    if not value:
        raise BadSettings(f"{name} is not set; set it, or start `gamekeeper up` beside this, which brings its own")
    return value


def _of_up(data: Path, name: str) -> str:
    """Return where a part of the `up` that keeps its data here is; empty where none runs."""
    try:
        said = json.loads((data.expanduser() / ENDPOINTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(said[name])


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


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check every setting. Raises BadSettings at the first that is wrong."""
    return Settings(**{setting.member: parsed(setting, raw(setting, environ)[0]) for setting in SETTINGS})


def environment(changes: Mapping[str, str], first_on_path: Path | None = None) -> dict[str, str]:
    """Return our environment with `changes`, for a child process."""
    child = dict(os.environ) | dict(changes)
    if first_on_path is not None:
        child["PATH"] = os.pathsep.join(filter(None, (str(first_on_path), child.get("PATH"))))
    return child


def writable_cache(settings: Settings, otherwise: Path) -> Path:
    """Return the cache folder, made if need be, or a folder in `otherwise` where that cannot be written."""
    for folder in (settings.cache, otherwise / "cache"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise BadSettings(
        f"GAMEKEEPER_CACHE: neither {settings.cache} nor {otherwise / 'cache'} can be written; name one that can"
    )


def raw(setting: Setting, environ: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Return a setting's text and where it came from. Raises BadSettings where a secret's file cannot be read."""
    environ = os.environ if environ is None else environ
    value, file = environ.get(setting.name, ""), environ.get(f"{setting.name}_FILE", "")
    if value and file and setting.secret:
        raise BadSettings(f"{setting.name} and {setting.name}_FILE are both set; keep one")
    if value:
        return value, "environment"
    if file and setting.secret:
        return _secret_file(setting, Path(file)), f"file {file}"
    base = environ.get(XDG.get(setting.name, ""), "")
    if base:
        return str(Path(base) / "gamekeeper"), XDG[setting.name]
    return setting.default, "default"


def _secret_file(setting: Setting, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise BadSettings(f"{setting.name}_FILE: cannot read {file}: {reason}") from error


def parsed(setting: Setting, text: str) -> Any:
    """Return what a setting's text means. Raises BadSettings, without a secret's text."""
    try:
        return setting.parse(text)
    except ValueError as error:
        shown = "" if setting.secret else f" (it is {text!r})"
        raise BadSettings(f"{setting.name} {error}{shown}") from None
