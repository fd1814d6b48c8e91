"""Where this installation runs: the only reader of the environment. What we believe of clients is policy.

An unset and an empty variable are the same. A secret may come from a file instead: NAME_FILE holds its path.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gamekeeper import forms
from gamekeeper.variables import SETTINGS, XDG, Setting

__all__ = [
    "ENDPOINTS",
    "SETTINGS",
    "BadSettings",
    "Setting",
    "Settings",
    "environment",
    "load",
    "parsed",
    "raw",
    "writable_cache",
]

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
    console: bool
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

    def need_up(self, name: str) -> str:
        """Return what a running `up` told, such as the URL of its gateway. Raises BadSettings where none runs."""
        found = _of_up(self.data, name)
        if not found:
            raise BadSettings(f"no `gamekeeper up` runs on {self.data}; start it beside this, or set GAMEKEEPER_DATA")
        return found

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
