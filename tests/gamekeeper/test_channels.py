"""The file of channels, and the commands that show and try them."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumers import topics
from consumers.filters import Filter, Terms
from consumers.store.engine import connect
from detector.standing import Standing
from gamekeeper import endpoints, settings
from gamekeeper.cli import app
from gamekeeper.commands import common
from tests.consumers.endpoint import listening
from tests.consumers.receivers import mail_server
from tests.gamekeeper.processes import eventually
from tests.store.given import saved, verdict

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PASSWORD = "channel-canary"  # noqa: S105  # made up
FILE = f"""
[soc]
kind = "slack"
url = "https://hooks.slack.com/services/{PASSWORD}"
only = {{ severity = ["critical"], model = ["digits*"] }}
never = {{ tenant = ["internal"] }}

[mail]
kind = "email"
url = "smtp+starttls://mail.example.org:587"
user = "gamekeeper"
secret_file = "SECRET"
sender = "gamekeeper@example.org"
to = ["soc@example.org"]

[lapi]
kind = "crowdsec"
url = "http://127.0.0.1:8080"
user = "gamekeeper"
secret = "{PASSWORD}"
"""


def given(folder: Path, text: str, **other: str) -> settings.Settings:
    """Return settings with this file of channels."""
    (folder / "secret").write_text(f"{PASSWORD}\n")
    file = folder / "channels.toml"
    file.write_text(text.replace("SECRET", str(folder / "secret")))
    return settings.load({"GAMEKEEPER_CHANNELS": str(file), **other})


def test_the_file_is_read(tmp_path: Path) -> None:
    """Decisions and alerts go to channels of either kind, each alert channel with its filter and our address."""
    hooks = {"GAMEKEEPER_WEBHOOKS": "ops=https://ops.example.org/", "GAMEKEEPER_WEBHOOK_SECRET": SIGNING}
    found = given(tmp_path, FILE, GAMEKEEPER_URL="https://gk.example.org", **hooks)
    channels = common.channels(found)
    assert channels.decisions == ("topic", "crowdsec:lapi")
    assert channels.alerts == ("webhook:ops", "slack:soc", "email:mail")
    only = Terms(severity=("critical",), model=("digits*",))
    assert channels.filters["slack:soc"] == Filter(only, Terms(tenant=("internal",)))
    mail = {one.channel: one for one in endpoints.every(found)}["email:mail"]
    assert (mail.secret, mail.user, mail.to, mail.base) == (
        PASSWORD,
        "gamekeeper",
        ("soc@example.org",),
        "https://gk.example.org",
    )
    assert PASSWORD not in repr(endpoints.every(found))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('kind = "pigeon"\nurl = "https://x.org"', "'pigeon' is not one of push, crowdsec, haproxy, webhook"),
        ('kind = "topic"\nurl = "https://x.org"', "'topic' is not one of"),
        ('url = "https://x.org"', "`kind`"),
        ('kind = "slack"\nurl = "https://x.org"\ncolour = "red"', "colour"),
        ('kind = "slack"\nurl = "ftp://x.org"', "https://HOST or http://HOST"),
        ('kind = "slack"\nurl = "https://[x"', "url"),
        ('kind = "email"\nurl = "smtp://x.org"\nsender = "a"\nto = ["b"]', "smtp://HOST:PORT"),
        ('kind = "email"\nurl = "smtp://x.org:25"\nuser = "a"\nsender = "a"\nto = ["b"]', "in the clear"),
        ('kind = "email"\nurl = "smtp://x.org:25"\nsender = "a"', "needs to"),
        ('kind = "haproxy"\nurl = "tcp://x.org"', "unix:///SOCKET or tcp://HOST:PORT"),
        ('kind = "haproxy"\nurl = "unix://"', "unix:///SOCKET"),
        ('kind = "pagerduty"\nurl = "https://x.org"', "needs secret or secret_file"),
        ('kind = "webhook"\nurl = "https://x.org"\nsecret = "hush"', "must be whsec_"),
        ('kind = "slack"\nurl = "https://x.org"\nonly = { severity = ["loud"] }', "loud"),
        ('kind = "crowdsec"\nurl = "http://x"\nuser = "a"\nsecret = "b"\nonly = { model = ["a"] }', "are for alerts"),
        ('kind = "ocsf"\nurl = "https://x.org"\nsecret_file = "/none"', "cannot be read"),
        ('kind = "ocsf"\nurl = "https://x.org"\nsecret = "a"\nsecret_file = "/none"', "keep one"),
        ("kind = ", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, table: str, says: str) -> None:
    """A file that cannot be used names the endpoint and what would be right."""
    with pytest.raises(settings.BadSettings, match="GAMEKEEPER_CHANNELS") as wrong:
        endpoints.every(given(tmp_path, f"[soc]\n{table}\n"))
    assert says in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_channel_is_set_once(tmp_path: Path) -> None:
    """The environment and the file do not both name the same one."""
    hooks = {"GAMEKEEPER_WEBHOOKS": "soc=https://ops.example.org/", "GAMEKEEPER_WEBHOOK_SECRET": SIGNING}
    table = f'[soc]\nkind = "webhook"\nurl = "https://x.org"\nsecret = "{SIGNING}"\n'
    with pytest.raises(settings.BadSettings, match="keep one"):
        endpoints.every(given(tmp_path, table, **hooks))


def test_deliver_sends_to_the_channels_of_the_file(
    kafka: str, database: str, topics_prefix: str, tmp_path: Path
) -> None:
    """The process itself: of two endpoints that work, each hears what its filter lets through, in its own form."""
    topics.ensure(kafka, 1, topics_prefix)
    with listening(200) as soc, mail_server() as post:
        text = f"""
            [soc]
            kind = "slack"
            url = "{soc.url}"
            private = true
            only = {{ severity = ["critical"] }}
            [people]
            kind = "email"
            url = "smtp://127.0.0.1:{post.port}"
            sender = "gamekeeper@example.org"
            to = ["soc@example.org"]
        """
        channels = common.channels(given(tmp_path, text))
        engine = connect(database)
        saved(engine, verdict(Standing.CONFIRMED), verdict(Standing.SUSPECTED, client="other"), channels=channels)
        engine.dispose()
        changes = {
            "GAMEKEEPER_CHANNELS": str(tmp_path / "channels.toml"),
            "GAMEKEEPER_TOPIC_PREFIX": topics_prefix,
            "GAMEKEEPER_URL": "https://gk.example.org",
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "DATABASE_URL": database,
        }
        command = [sys.executable, "-m", "gamekeeper", "deliver"]
        with subprocess.Popen(command, env=settings.environment(changes)) as process:
            eventually(lambda: len(soc.received) == 1 and len(post.mails) == 2, 90.0)
            process.terminate()
    assert b"https://gk.example.org/episodes/" in soc.received[0][2]
    assert {mail["Subject"] for mail in post.mails} == {
        "[Gamekeeper] thief is copying digits",
        "[Gamekeeper] other is suspected of copying digits",
    }


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str, *arguments: str) -> tuple[int, str]:
    """Run `gamekeeper channels …` in this process; return the exit code and all that it said."""
    given(folder, text)
    monkeypatch.setenv("GAMEKEEPER_CHANNELS", str(folder / "channels.toml"))
    result = CliRunner().invoke(app, ["channels", *arguments], env={"COLUMNS": "1000"})
    return result.exit_code, f"{result.output}{result.exception or ''}"


def test_channels_are_listed_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, what it takes, where, and which alerts."""
    code, said = run(monkeypatch, tmp_path, FILE, "list")
    assert code == 0
    for word in ("topic", "slack:soc", "https://hooks.slack.com/…", "crowdsec:lapi", "decisions"):
        assert word in said
    assert "only severity critical; only model digits*; never tenant internal" in said
    assert PASSWORD not in said


def test_a_channel_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test arrives and says that it is one; a channel that does not work, or is none, fails with a reason."""
    with listening(200, 500) as hook:
        table = f'[soc]\nkind = "slack"\nurl = "{hook.url}"\nprivate = true\n'
        assert run(monkeypatch, tmp_path, table, "test", "soc")[0] == 0
        code, said = run(monkeypatch, tmp_path, table, "test", "slack:soc")
        assert (code, "slack:soc: not delivered: the endpoint says 500" in said) == (1, True)
        code, said = run(monkeypatch, tmp_path, table, "test", "nobody")
        assert (code, "there are: slack:soc" in said) == (1, True)
    assert all(b"TEST, nothing happened" in body for _, _, body in hook.received)
    code, said = run(monkeypatch, tmp_path, table.replace("private = true\n", ""), "test", "soc")
    assert (code, "private" in said) == (1, True)
