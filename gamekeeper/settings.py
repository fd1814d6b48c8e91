"""Settings: where we run. The only reader of the environment; each one is in TABLE with its default and meaning.

A secret (and DATABASE_URL) may come by file instead: NAME_FILE holds the path.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class BadSetting(ValueError):  # noqa: N818  # named for what it says to the operator
    """A setting that cannot be used; the message names it, what is wrong, and what to do."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its environment variable, how it is read, its default as text, and what it means."""

    name: str
    field: str
    parse: Callable[[str], Any]
    default: str
    meaning: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, read and checked. None: not set, and there is no default."""

    bootstrap: str | None
    database: str | None
    schema: str
    topic_prefix: str
    partitions: int
    group: str
    policy: Path | None
    webhooks: Mapping[str, str]
    webhook_secret: str | None
    webhook_private: bool
    push: Mapping[str, str]
    push_token: str | None
    gateway_name: str
    gateway_host: str
    gateway_port: int
    gateway_fail_open: bool
    models: Path | None
    api_host: str
    api_port: int
    metrics_host: str
    metrics_port: int | None
    data: Path
    cache: Path | None
    log_format: str

    def need_bootstrap(self) -> str:
        """Return the bootstrap servers. Raises BadSetting where they are not set."""
        return _need(self.bootstrap, "KAFKA_BOOTSTRAP_SERVERS", "HOST:PORT,…")

    def need_database(self) -> str:
        """Return the database URL. Raises BadSetting where it is not set."""
        return _need(self.database, "DATABASE_URL", "postgresql+psycopg2://USER:PASSWORD@HOST/NAME")


def _need(value: str | None, name: str, form: str) -> str:
    if value is None:
        raise BadSetting(f"{name} is not set; set it to {form}, or use `gamekeeper up`, which brings its own")
    return value


def _text(value: str) -> str:
    return value


def _optional(value: str) -> str | None:
    return value or None


def _path(value: str) -> Path | None:
    return Path(value).expanduser() if value else None


def _folder(value: str) -> Path:
    return Path(value).expanduser()


def _yes(value: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise ValueError(f"{value!r} is neither true nor false")
    return value.lower() == "true"


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value)
        if not lowest <= number <= highest:
            raise ValueError(f"{number} is not in {lowest}..{highest}")
        return number

    return parse


def _port_or_none(value: str) -> int | None:
    return _whole(0, 65_535)(value) if value else None


def _targets(value: str) -> dict[str, str]:
    targets: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, equals, url = part.partition("=")
        if not equals or not url.startswith(("http://", "https://")) or not name.isidentifier():
            raise ValueError(f"{part!r} is not NAME=http(s)://…")
        targets[name] = url
    return targets


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is not one of {', '.join(words)}")
        return value

    return parse


_PORT = _whole(0, 65_535)
_DATA = "~/.local/share/gamekeeper"

TABLE: tuple[Setting, ...] = (
    Setting("KAFKA_BOOTSTRAP_SERVERS", "bootstrap", _optional, "", "Kafka to use; else `up` and `demo` start one"),
    Setting("DATABASE_URL", "database", _optional, "", "PostgreSQL to use (SQLAlchemy's form); likewise", secret=True),
    Setting("GAMEKEEPER_SCHEMA", "schema", _text, "public", "schema of the tables"),
    Setting("GAMEKEEPER_TOPIC_PREFIX", "topic_prefix", _text, "", "put before every topic's name"),
    Setting("GAMEKEEPER_PARTITIONS", "partitions", _whole(1, 1024), "8", "partitions of a topic that `topics` makes"),
    Setting("GAMEKEEPER_GROUP", "group", _text, "gamekeeper-detect", "consumer group of `detect`"),
    Setting("GAMEKEEPER_POLICY", "policy", _path, "", "policy file (TOML); where not set, the built-in policy"),
    Setting("GAMEKEEPER_WEBHOOKS", "webhooks", _targets, "", "alerts go to NAME=URL,NAME=URL"),
    Setting("GAMEKEEPER_WEBHOOK_SECRET", "webhook_secret", _optional, "", "signs alerts (whsec_…)", secret=True),
    Setting("GAMEKEEPER_WEBHOOK_PRIVATE", "webhook_private", _yes, "false", "allow webhooks on private addresses"),
    Setting("GAMEKEEPER_PUSH", "push", _targets, "", "gateways that decisions are pushed to: NAME=URL,NAME=URL"),
    Setting("GAMEKEEPER_PUSH_TOKEN", "push_token", _optional, "", "bearer token of those pushes", secret=True),
    Setting("GAMEKEEPER_GATEWAY_NAME", "gateway_name", _text, "gateway", "how this gateway calls itself"),
    Setting("GAMEKEEPER_GATEWAY_HOST", "gateway_host", _text, "0.0.0.0", "address that `gateway` listens on"),  # noqa: S104  # a gateway is there to be reached
    Setting("GAMEKEEPER_GATEWAY_PORT", "gateway_port", _PORT, "8080", "port of `gateway`"),
    Setting("GAMEKEEPER_GATEWAY_FAIL_OPEN", "gateway_fail_open", _yes, "true", "serve while decisions are unknown"),
    Setting("GAMEKEEPER_MODELS", "models", _path, "", "folder of .keras files that `gateway` serves"),
    Setting("GAMEKEEPER_API_HOST", "api_host", _text, "127.0.0.1", "address that `api` listens on"),
    Setting("GAMEKEEPER_API_PORT", "api_port", _PORT, "8081", "port of `api`"),
    Setting("GAMEKEEPER_METRICS_HOST", "metrics_host", _text, "127.0.0.1", "address of /metrics and /healthz"),
    Setting("GAMEKEEPER_METRICS_PORT", "metrics_port", _port_or_none, "", "port of /metrics and /healthz"),
    Setting("GAMEKEEPER_DATA", "data", _folder, _DATA, "folder in which `up` keeps everything"),
    Setting("GAMEKEEPER_CACHE", "cache", _path, "", "folder for Kafka's jars; where not set, the user's cache folder"),
    Setting("GAMEKEEPER_LOG", "log_format", _one_of("console", "json"), "console", "form of the log: console or json"),
)  # fmt: skip


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read every setting. Raises BadSetting for the first one that cannot be used."""
    found = os.environ if environ is None else environ
    return Settings(**{setting.field: _read(setting, found)[0] for setting in TABLE})


def described(environ: Mapping[str, str] | None = None) -> list[tuple[Setting, str, str]]:
    """Return each setting with its value as text (secrets hidden) and where that came from."""
    found = os.environ if environ is None else environ
    rows = []
    for setting in TABLE:
        value, origin = _read(setting, found)
        shown = "" if value is None else str(value)
        rows.append((setting, "(hidden)" if setting.secret and shown else shown, origin))
    return rows


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with `changes`, for a process that we start."""
    return {**os.environ, **changes}


def _read(setting: Setting, environ: Mapping[str, str]) -> tuple[Any, str]:
    text, origin = _find(setting, environ)
    try:
        return setting.parse(text.strip()), origin
    except ValueError as error:
        raise BadSetting(f"{setting.name}: {error} (from {origin}); it means: {setting.meaning}") from error


def _find(setting: Setting, environ: Mapping[str, str]) -> tuple[str, str]:
    if setting.name in environ:
        return environ[setting.name], "environment"
    file = environ.get(f"{setting.name}_FILE")
    if not setting.secret or file is None:
        return setting.default, "default"
    try:
        return Path(file).read_text(encoding="utf-8"), f"file {file}"
    except OSError as error:
        raise BadSetting(f"{setting.name}_FILE: {file} cannot be read ({error.strerror})") from error
