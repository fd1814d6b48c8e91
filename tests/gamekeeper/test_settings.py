"""Settings: read once, checked, and shown to people without their secrets."""

from pathlib import Path

import pytest

from gamekeeper import settings, shown
from gamekeeper.settings import BadSettings

DATABASE = "postgresql+psycopg2://gamekeeper:hunter2@db/gamekeeper"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw0123456789="  # noqa: S105  # a made-up one

WRONG = [
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka", "host:port"),
    ("DATABASE_URL", "mysql://db/x", "postgresql+psycopg2://"),
    ("DATABASE_URL", "not a url", "postgresql+psycopg2://"),
    ("GAMEKEEPER_POLICY", "/no/such/policy.toml", "file that exists"),
    ("GAMEKEEPER_MODELS", "/no/such/folder", "folder that exists"),
    ("GAMEKEEPER_PARTITIONS", "0", "from 1 to"),
    ("GAMEKEEPER_PARTITIONS", "eight", "whole number"),
    ("GAMEKEEPER_API_PORT", "tcp://10.0.0.1:8081", "from 0 to 65535"),
    ("GAMEKEEPER_API_PORT", "٨٠٨٠", "whole number"),
    ("GAMEKEEPER_SCHEMA", 'x"; DROP', "lower-case Postgres name"),
    ("GAMEKEEPER_TOPIC_PREFIX", "a/b", "letters, digits"),
    ("GAMEKEEPER_WEBHOOKS", "https://example.org", "name=https://"),
    ("GAMEKEEPER_WEBHOOKS", "a=https://x.org,a=https://y.org", "two the same"),
    ("GAMEKEEPER_PUSH", "a=ftp://x.org", "name=https://"),
    ("GAMEKEEPER_PUSH", "a=http://[::1/", "name=https://"),
    ("GAMEKEEPER_PUSH", "a=http://x.org:port/", "name=https://"),
    ("GAMEKEEPER_KAFKA_PROTOCOL", "sasl", "SASL_SSL"),
    ("GAMEKEEPER_KAFKA_MECHANISM", "GSSAPI", "SCRAM-SHA-512"),
    ("GAMEKEEPER_KAFKA_CA", "/no/such/ca.pem", "file that exists"),
    ("GAMEKEEPER_WEBHOOK_SECRET", "hunter2", "whsec_"),
    ("GAMEKEEPER_WEBHOOK_PRIVATE", "maybe", "yes or no"),
    ("GAMEKEEPER_CHECKPOINT_SECONDS", "nan", "seconds from"),
    ("GAMEKEEPER_LOG_FORMAT", "xml", "json or console"),
    ("GAMEKEEPER_MARKS_KEY", "hunter2", "URL-safe base64"),
    ("GAMEKEEPER_GATEWAY_SECRET", "hunter2", "32 characters or more"),
]


def test_nothing_set_is_fine() -> None:
    """Every default can be used, and the servers that are not named are empty."""
    found = settings.load({})
    assert (found.kafka_bootstrap_servers, found.database_url, found.schema) == ("", "", "public")


def test_an_empty_variable_is_an_unset_one() -> None:
    """Compose files pass empty variables; they must not be errors."""
    assert settings.load({setting.name: "" for setting in settings.SETTINGS}) == settings.load({})


@pytest.mark.parametrize(("name", "value", "right"), WRONG)
def test_a_wrong_setting_is_one_line_that_names_it(name: str, value: str, right: str) -> None:
    """The error names the setting, says what would be right, and fits on a line."""
    with pytest.raises(BadSettings) as failure:
        settings.load({name: value})
    message = str(failure.value)
    assert message.startswith(name)
    assert right in message
    assert "\n" not in message


def test_an_error_does_not_show_a_secret() -> None:
    """What was wrong about a secret is said without the secret."""
    for name, value in (("GAMEKEEPER_WEBHOOK_SECRET", "hunter2"), ("DATABASE_URL", "mysql://root:hunter2@db/x")):
        with pytest.raises(BadSettings) as failure:
            settings.load({name: value})
        assert "hunter2" not in str(failure.value)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    """NAME_FILE is read, without the newline at its end, and shown as where the value came from."""
    file = tmp_path / "database_url"
    file.write_text(DATABASE + "\n")
    environ = {"DATABASE_URL_FILE": str(file)}
    assert settings.load(environ).database_url == DATABASE
    found = next(value for value in shown.values(environ) if value.name == "DATABASE_URL")
    assert found.origin == f"file {file}"


def test_a_secret_file_must_be_readable_and_alone(tmp_path: Path) -> None:
    """A missing file, and a value beside a file, are errors that name the variable."""
    with pytest.raises(BadSettings, match=r"DATABASE_URL_FILE: cannot read .*No such file"):
        settings.load({"DATABASE_URL_FILE": str(tmp_path / "missing")})
    with pytest.raises(BadSettings, match="both set"):
        settings.load({"DATABASE_URL": DATABASE, "DATABASE_URL_FILE": "x"})


def test_people_see_every_setting_and_no_secret() -> None:
    """The table has each setting once, with its origin, and hides passwords."""
    environ = {"DATABASE_URL": DATABASE, "GAMEKEEPER_WEBHOOK_SECRET": SECRET, "GAMEKEEPER_PARTITIONS": "none"}
    found = {value.name: value for value in shown.values(environ)}
    assert list(found) == [setting.name for setting in settings.SETTINGS]
    assert found["DATABASE_URL"].shown == DATABASE.replace("hunter2", "***")
    assert found["GAMEKEEPER_WEBHOOK_SECRET"].shown == "***"
    assert found["GAMEKEEPER_PARTITIONS"].origin == "WRONG"
    assert all(value.meaning for value in found.values())


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://me:a:b/c%40@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("postgresql+psycopg2://postgres@/x?host=/run&password=hunter2", "postgresql+psycopg2://postgres@/x?…"),
        ("postgresql://db/x", "postgresql://db/x"),
        ("postgresql://db:5432/x", "postgresql://db:5432/x"),
        ("postgresql:///x?host=/run", "postgresql:///x?…"),
    ],
)
def test_a_database_is_shown_without_its_password(url: str, seen: str) -> None:
    """Every form of URL that Postgres is reached by can be used, and is shown without what is secret."""
    found = next(value for value in shown.values({"DATABASE_URL": url}) if value.name == "DATABASE_URL")
    assert found.shown == seen


def test_the_base_folders_of_the_desktop_are_kept_to() -> None:
    """XDG_CACHE_HOME moves the cache, and GAMEKEEPER_CACHE wins over it."""
    assert settings.load({"XDG_CACHE_HOME": "/x"}).cache == Path("/x/gamekeeper")
    assert settings.load({"XDG_CACHE_HOME": "/x", "GAMEKEEPER_CACHE": "/y"}).cache == Path("/y")


def test_the_cache_falls_back_to_the_data_folder(tmp_path: Path) -> None:
    """Where the cache folder cannot be made, the data folder serves."""
    file = tmp_path / "a-file"
    file.write_text("")
    found = settings.load({"GAMEKEEPER_CACHE": str(file / "below")})
    assert settings.writable_cache(found, tmp_path) == tmp_path / "cache"


def test_a_child_gets_our_environment_with_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes win, the rest is ours, and a folder may come first on PATH."""
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("PATH", "/bin")
    child = settings.environment({"NEW": "2"}, first_on_path=Path("/java"))
    assert (child["KEPT"], child["NEW"], child["PATH"]) == ("1", "2", "/java:/bin")


def test_what_an_address_of_a_webhook_holds_is_secret() -> None:
    """User, password, path and query of an endpoint are not shown; who it is, is."""
    environ = {"GAMEKEEPER_WEBHOOKS": "a=https://me:hunter2@a.org:8443/hunter2?t=hunter2,b=http://b.org"}
    found = next(value for value in shown.values(environ) if value.name == "GAMEKEEPER_WEBHOOKS")
    assert found.shown == "a=https://a.org:8443/…,b=http://b.org/…"
