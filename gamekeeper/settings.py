"""Where this installation runs: the only reader of the environment. What we believe of clients is policy.

An unset and an empty variable are the same. A secret may come from a file instead: NAME_FILE holds its path.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

Named = tuple[tuple[str, str], ...]  # (name, URL)
LogFormat = Literal["auto", "json", "console"]
SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
TOPIC_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,100}")
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
LOG_FORMATS = ("auto", "json", "console")
LOG_LEVELS = ("debug", "info", "warning", "error")


class BadSettings(ValueError):  # noqa: N818  # named for what it says to the operator
    """A setting that cannot be used; the message names it, says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked. The members are named after the variables, without GAMEKEEPER_."""

    kafka_bootstrap_servers: str
    database_url: str
    policy: Path | None
    topic_prefix: str
    schema: str
    group: str
    partitions: int
    webhooks: Named
    webhook_secret: str
    webhook_private: bool
    push: Named
    push_token: str
    host: str
    gateway_port: int
    gateway_name: str
    gateway_fail_open: bool
    api_port: int
    metrics_port: int | None
    models: Path | None
    checkpoint_seconds: float
    checkpoint_queries: int
    clients_max: int
    data: Path
    cache: Path
    log_format: LogFormat
    log_level: str

    def need_kafka(self) -> str:
        """Return Kafka's bootstrap servers. Raises BadSettings where they are not set."""
        return _need(self.kafka_bootstrap_servers, "KAFKA_BOOTSTRAP_SERVERS")

    def need_database(self) -> str:
        """Return the database URL. Raises BadSettings where it is not set."""
        return _need(self.database_url, "DATABASE_URL")


def _need(value: str, name: str) -> str:
    if not value:
        raise BadSettings(f"{name} is not set; set it, or use `gamekeeper up`, which brings its own")
    return value


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


@dataclass(frozen=True, slots=True)
class Value:
    """What a setting holds and where that came from, for people: secrets are hidden."""

    name: str
    shown: str
    origin: str
    meaning: str


def _text(value: str) -> str:
    return value


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"must be {what}")
        return value

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    return _matching(re.compile("|".join(choices)), " or ".join(choices))


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    return parse


def _port_or_none(value: str) -> int | None:
    return _whole(0, 65_535)(value) if value else None


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0.01 <= seconds <= 3600:  # noqa: PLR2004  # what the message says
        raise ValueError("must be seconds from 0.01 to 3600")
    return seconds


def _yes(value: str) -> bool:
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if value.lower() not in words:
        raise ValueError("must be yes or no")
    return words[value.lower()]


def _servers(value: str) -> str:
    for server in filter(None, value.split(",")):
        host, colon, port = server.strip().rpartition(":")
        if not (host and colon and port.isdigit()):
            raise ValueError("must be host:port, several of them with commas between")
    return value


def _database(value: str) -> str:
    if value:
        try:
            url = make_url(value)
        except ArgumentError:
            url = None
        if url is None or url.get_backend_name() != "postgresql":
            raise ValueError("must look like postgresql+psycopg2://user:password@host:5432/database")
    return value


def _named(value: str) -> Named:
    pairs = [tuple(part.strip().partition("=")[::2]) for part in value.split(",") if part.strip()]
    for name, url in pairs:
        if not (NAME.fullmatch(name) and re.match(r"https?://[^/]", url)):
            raise ValueError("must be name=https://…, several of them with commas between")
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("must not name two the same")
    return tuple((name, url) for name, url in pairs)


def _signing_secret(value: str) -> str:
    if value and not re.fullmatch(r"whsec_[A-Za-z0-9+/]{32,}={0,2}", value):
        raise ValueError("must be whsec_ and at least 24 bytes as base64 (openssl rand -base64 32)")
    return value


def _path(value: str) -> Path | None:
    return Path(value).expanduser() if value else None


def _existing_file(value: str) -> Path | None:
    path = _path(value)
    if path is not None and not path.is_file():
        raise ValueError("must name a file that exists")
    return path


def _existing_folder(value: str) -> Path | None:
    path = _path(value)
    if path is not None and not path.is_dir():
        raise ValueError("must name a folder that exists")
    return path


SETTINGS: tuple[Setting, ...] = (
    Setting("KAFKA_BOOTSTRAP_SERVERS", "", _servers, "Kafka: host:port, several with commas between"),
    Setting("DATABASE_URL", "", _database, "Postgres, as an SQLAlchemy URL", secret=True),
    Setting("GAMEKEEPER_POLICY", "", _existing_file, "policy file (TOML); the defaults need none"),
    Setting(
        "GAMEKEEPER_TOPIC_PREFIX",
        "",
        _matching(TOPIC_PREFIX, "letters, digits, dot, dash and underscore"),
        "put before the name of every topic",
    ),
    Setting(
        "GAMEKEEPER_SCHEMA",
        "public",
        _matching(SCHEMA_NAME, "a lower-case Postgres name"),
        "schema of the tables in Postgres",
    ),
    Setting("GAMEKEEPER_GROUP", "gamekeeper-detect", _matching(NAME, "a short name"), "consumer group of detect"),
    Setting("GAMEKEEPER_PARTITIONS", "8", _whole(1, 10_000), "partitions of a topic that `topics` creates"),
    Setting("GAMEKEEPER_WEBHOOKS", "", _named, "who is alerted: name=url, several with commas between"),
    Setting(
        "GAMEKEEPER_WEBHOOK_SECRET", "", _signing_secret, "signs webhooks (Standard Webhooks): whsec_…", secret=True
    ),
    Setting("GAMEKEEPER_WEBHOOK_PRIVATE", "no", _yes, "allow webhooks to private addresses"),
    Setting("GAMEKEEPER_PUSH", "", _named, "gateways that get decisions by HTTP: name=url, with commas between"),
    Setting("GAMEKEEPER_PUSH_TOKEN", "", _text, "what a gateway demands of who pushes decisions", secret=True),
    Setting("GAMEKEEPER_HOST", "127.0.0.1", _text, "address that gateway, api and metrics listen on"),
    Setting("GAMEKEEPER_GATEWAY_PORT", "8080", _whole(0, 65_535), "port of the gateway"),
    Setting("GAMEKEEPER_GATEWAY_NAME", "gateway", _matching(NAME, "a short name"), "this gateway in gateway_status"),
    Setting("GAMEKEEPER_GATEWAY_FAIL_OPEN", "yes", _yes, "serve while the decisions in force are not known yet"),
    Setting("GAMEKEEPER_API_PORT", "8081", _whole(0, 65_535), "port of the api"),
    Setting(
        "GAMEKEEPER_METRICS_PORT", "", _port_or_none, "port of detect's or deliver's /metrics and /healthz; empty: none"
    ),
    Setting("GAMEKEEPER_MODELS", "", _existing_folder, "folder of the models that the gateway serves: NAME.keras"),
    Setting("GAMEKEEPER_CHECKPOINT_SECONDS", "1", _seconds, "longest time between two checkpoints"),
    Setting("GAMEKEEPER_CHECKPOINT_QUERIES", "50000", _whole(1, 10_000_000), "most queries between two checkpoints"),
    Setting("GAMEKEEPER_CLIENTS_MAX", "200000", _whole(100, 100_000_000), "clients a detect process keeps in memory"),
    Setting("GAMEKEEPER_DATA", "~/.local/share/gamekeeper", _path, "folder of `up`: everything embedded"),
    Setting("GAMEKEEPER_CACHE", "~/.cache/gamekeeper", _path, "folder for what is fetched once"),
    Setting("GAMEKEEPER_LOG_FORMAT", "auto", _one_of(*LOG_FORMATS), "json, console, or auto: console on a terminal"),
    Setting("GAMEKEEPER_LOG_LEVEL", "info", _one_of(*LOG_LEVELS), "least level that is logged"),
)
XDG = {"GAMEKEEPER_DATA": "XDG_DATA_HOME", "GAMEKEEPER_CACHE": "XDG_CACHE_HOME"}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check every setting. Raises BadSettings at the first that is wrong."""
    environ = os.environ if environ is None else environ
    return Settings(**{setting.member: _parsed(setting, _raw(setting, environ)[0]) for setting in SETTINGS})


def values(environ: Mapping[str, str] | None = None) -> list[Value]:
    """Return every setting as people may see it, wrong ones too."""
    environ = os.environ if environ is None else environ
    return [_shown(setting, environ) for setting in SETTINGS]


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


def _raw(setting: Setting, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return (text, origin)."""
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


def _parsed(setting: Setting, text: str) -> Any:
    try:
        return setting.parse(text)
    except ValueError as error:
        shown = "" if setting.secret else f" (it is {text!r})"
        raise BadSettings(f"{setting.name} {error}{shown}") from None


def _shown(setting: Setting, environ: Mapping[str, str]) -> Value:
    try:
        text, origin = _raw(setting, environ)
        _parsed(setting, text)
    except BadSettings as error:
        return Value(setting.name, str(error), "WRONG", setting.meaning)
    return Value(setting.name, _hidden(setting, text), origin, setting.meaning)


def _hidden(setting: Setting, text: str) -> str:
    if not setting.secret or not text:
        return text
    return make_url(text).render_as_string(hide_password=True) if setting.name == "DATABASE_URL" else "***"
