"""Every template: its wire form, what it must say, and that no name can break out of it. The registry says which."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from py_ocsf_models.events.findings.detection_finding import DetectionFinding

from consumers.alert import Alert, decode, encode, trial
from consumers.channels import CHANNELS, OURS
from consumers.channels.endpoint import Endpoint
from consumers.channels.mail import message
from consumers.channels.syslog import DATAGRAM_BYTES, line
from consumers.store.facts import FOREVER
from consumers.templates import TEMPLATES, alertmanager, cef, crowdsec, mail, ocsf, pagerduty, slack, standard, teams
from consumers.templates.words import NAME, words
from detector.decision import Action, Key, Scope
from tests.templates import make

MOST = 20_000  # bytes of anything that is sent
SLACK_TEXT = 3_000  # characters that Slack takes in one text; others take more
POSTMAN = Endpoint("email", "soc", "smtp://127.0.0.1:25", sender="gamekeeper@example.org", to=("soc@example.org",))

HOSTILE = [
    "<!channel> <http://evil.example|click>", "[click](http://evil.example)", "*bold* _it_ `code` ~no~", "@everyone",
    "a|b\\|c=d\\", "x\r\nBcc: all@example.org\r\n\r\nbody", "line\nbreak\u2028and\u2029more", "\u202eevil\u202c\u200b",
    "<script>alert(1)</script>", "&amp;&lt;", '"}],"x":[{"', "{{template}} ${env} %s %n", "\0\x07\x1b[31m",
    "é" * 10_000,
    "=" * 10_000, "\\" * 10_000, "|" * 10_000, "<" * 10_000, "🦊" * 10_000, "",
]  # fmt: skip
names = st.sampled_from(HOSTILE) | st.text(max_size=600)


@st.composite
def hostile(draw: st.DrawFn) -> Alert:
    """Return an alert in which everything that others can write is as bad as it gets."""
    kind = draw(st.sampled_from(sorted(make.CASES)))
    members = ("client", "model", "tenant", "reason")
    case = msgspec.structs.replace(make.CASES[kind].data, **{member: draw(names) for member in members})
    return msgspec.structs.replace(make.CASES[kind], data=case)


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, names of members too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from (name, *strings(one))
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def parsed(rendered: Any) -> Any:
    """Return the JSON value that is sent."""
    return json.loads(msgspec.json.encode(rendered))


@pytest.mark.parametrize("name", [*TEMPLATES, "crowdsec"])
def test_golden(name: str) -> None:
    """The wire form is the one on file; `python -m tests.templates.make` writes it anew, to be looked at."""
    files = {file: content for file, content in make.wanted().items() if file.startswith(name)}
    assert files == {file: (make.GOLDEN / file).read_text(encoding="utf-8") for file in files}


def test_the_documentation_shows_them() -> None:
    """docs/alerts.md ends with the alerts as they are, and names every kind of channel."""
    docs = make.DOCS.read_text(encoding="utf-8")
    assert docs.endswith(make.examples())
    assert all(f"`{name}`" in docs for name in CHANNELS if name not in OURS)


@pytest.mark.parametrize("name", TEMPLATES)
class TestContract:
    """What every template keeps."""

    def test_says_everything(self, name: str) -> None:
        """Who, which model, since when, how sure, why, how much is gone, what was done until when, links, technique."""
        said = " ".join(make.text(TEMPLATES[name](make.CASES["confirmed"])).split())  # mail is wrapped
        for word in ("key_7f3a", "digits", "acme", "0.97", "changes its mind", "31 label flips", "AML.T0024.002"):
            assert word in said
        assert re.search(r"11:56|1795521360000", said)  # since
        assert re.search(r"\b13%|0\.13\b", said)  # leakage
        assert "block" in said
        assert "16:00" in said  # until
        assert f"{make.BASE}/episodes/{make.EPISODE}" in said
        assert f"{make.BASE}/api/v1/episodes/{make.EPISODE}" in said

    def test_says_that_shadow_is_not_enforced(self, name: str) -> None:
        """Whoever reads of a block in shadow reads that it is none."""
        said = " ".join(make.text(TEMPLATES[name](make.CASES["shadow"])).split())
        assert re.search(r"In shadow, nothing is enforced|\"shadow\": true", said)
        assert "it is blocked" not in said

    def test_says_when_and_why_it_ended(self, name: str) -> None:
        """The end of an episode is no news of a theft: it says so, since when it was, when it ended, and why."""
        said = " ".join(make.text(TEMPLATES[name](make.CASES["resolved"])).split())
        assert "Resolved: key_7f3a was copying digits" in said or name == "webhook"
        assert "its time is over" in said
        assert re.search(r"11:56|1795521360000", said)
        assert re.search(r"12:00|1795521600000", said)
        assert "is copying" not in said

    def test_says_when_it_is_a_test(self, name: str) -> None:
        """Nobody is woken by a test without knowing that it is one."""
        said = make.text(TEMPLATES[name](trial(make.NOON)))
        assert "TEST, nothing happened" in said or '"test": true' in said

    def test_needs_no_links(self, name: str) -> None:
        """Without an address of ours there are no links to it, and all the rest."""
        case = msgspec.structs.replace(make.alert().data, links=None)
        said = make.text(TEMPLATES[name](msgspec.structs.replace(make.alert(), data=case)))
        assert make.BASE not in said
        assert "key_7f3a" in said

    def test_says_what_holds_for_good(self, name: str) -> None:
        """A person's block without an end is no date in the year 9999 to people, and no overflow to programs."""
        said = make.text(TEMPLATES[name](make.alert(until=FOREVER)))
        assert "until a person ends it" in said or name == "webhook"
        assert "9999" not in said or name == "webhook"

    @given(alert=hostile())
    def test_is_short_and_in_one_piece(self, name: str, alert: Alert) -> None:
        """Whatever the names are, what is sent is small and has no character that people cannot see."""
        rendered = TEMPLATES[name](alert)
        said = make.text(rendered)
        assert len(said.encode()) < MOST
        if name != "webhook":  # which is for programs, and says names as they are
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e]", said)
            longest = max(strings(parsed(rendered)), key=len) if not isinstance(rendered, str) else ""
            assert isinstance(rendered, mail.Mail) or len(longest) <= SLACK_TEXT


@given(hostile())
def test_webhook_is_read_back(alert: Alert) -> None:
    """A program reads the very names, up to what a query may name, below the 20 kB of the standard."""
    body = msgspec.json.encode(standard.render(alert))
    assert len(body) < 20_000
    assert decode(body).data.client == alert.data.client[: standard.NAME]


@given(hostile())
def test_slack_reads_no_markup_in_names(alert: Alert) -> None:
    """Links and mentions are ours alone; values are plain text; Slack's limits hold."""
    body = parsed(slack.render(alert))
    header, sentences, *sections, context = body["blocks"]
    fields = [field for section in sections for field in section["fields"]]
    assert {field["text"].strip("*") for field in fields[::2]} <= set(dict(words(alert).facts))
    plain = [header["text"], sentences["text"], *fields[1::2]]
    for text in (body["text"], *(one["text"] for one in plain)):
        assert "<" not in text
        assert ">" not in text
        assert re.sub(r"&(amp|lt|gt);", "", text).count("&") == 0
    assert {one["type"] for one in plain} == {"plain_text"}
    assert len(sentences["text"]["text"]) <= 3_000
    assert all(0 < len(field["text"]) <= 2_000 for field in fields)
    assert all(len(section["fields"]) <= 10 for section in sections)
    assert len(header["text"]["text"]) <= 150
    assert set(re.findall(r"<([^|>]*)", context["elements"][0]["text"])) <= _urls(alert)


@given(hostile())
def test_teams_reads_no_markdown_in_names(alert: Alert) -> None:
    """All text is in text runs, which know no Markdown; what can be clicked is ours."""
    card = parsed(teams.render(alert))["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert {action["url"] for action in card["actions"]} <= _urls(alert)


@given(hostile())
def test_pagerduty_keeps_its_limits(alert: Alert) -> None:
    """The incident is the episode's; only the end resolves."""
    event = parsed(pagerduty.render(alert))
    assert event["dedup_key"] == make.EPISODE
    assert event["event_action"] == ("resolve" if alert.data.change == "resolved" else "trigger")
    assert 0 < len(event["payload"]["summary"]) <= 1_024
    assert event["payload"]["severity"] in {"critical", "error", "warning", "info"}


@given(hostile())
def test_alertmanager_labels_are_filled(alert: Alert) -> None:
    """No label is empty; an alert ends after it began; the end of an episode ends every severity."""
    alerts = parsed(alertmanager.render(alert))
    assert [one["labels"]["severity"] for one in alerts] == ["info", "warning", "critical"]
    assert all(one["labels"]["alertname"] and all(one["labels"].values()) for one in alerts)
    assert all(one["startsAt"] < one["endsAt"] for one in alerts)
    firing = [one["endsAt"] > "2026-11-24T12:00:00Z" for one in alerts]
    assert firing == [False, False, alert.data.change != "resolved"]


@pytest.mark.proves("py-ocsf-models", "its models take every alert as a Detection Finding, whatever the names are")
@given(hostile())
def test_ocsf_is_a_detection_finding(alert: Alert) -> None:
    """The models of py-ocsf-models take it: class 2004, with the activity that the change is."""
    finding = DetectionFinding.model_validate(parsed(ocsf.render(alert)))
    assert finding.class_uid == 2004
    assert finding.type_uid.value == 200400 + finding.activity_id.value
    assert finding.finding_info.uid == make.EPISODE


@given(hostile())
def test_cef_is_read_back(alert: Alert) -> None:
    """A reader of CEF finds eight parts and our keys alone, whatever pipes and equal signs names have."""
    version, *header, extension = _unpiped(cef.render(alert)).split("|", 7)
    assert version == "CEF:0"
    assert len(header) == 6
    keys = re.findall(r"(?:^| )([A-Za-z0-9]+)=", re.sub(r"\\.", "", extension))
    assert set(keys) <= {
        "externalId", "suser", "destinationServiceName", "start", "end", "rt", "act", "reason", "msg", "outcome",
        "request", *(f"cs{number}" for number in range(1, 6)), *(f"cs{number}Label" for number in range(1, 6)),
    }  # fmt: skip
    assert len(keys) == len(set(keys))


@given(hostile(), st.integers(200, DATAGRAM_BYTES))
def test_syslog_is_one_line_of_rfc_5424(alert: Alert, most: int) -> None:
    """The header is RFC 5424's; the message fits, is UTF-8, and does not end within an escape."""
    sent = line(alert, most)
    text = sent.decode()
    assert len(sent) <= most
    assert re.match(r"<8[246]>1 2026-11-24T12:00:00\.000Z \S+ gamekeeper - (opened|updated|resolved) - CEF:0\|", text)
    assert "\n" not in text
    assert len(text) - len(text.rstrip("\\")) in range(0, most, 2)


@given(hostile())
def test_mail_has_the_headers_that_we_gave_it(alert: Alert) -> None:
    """No name adds a header or a recipient."""
    sent = message(alert, "msg_2b7f", POSTMAN)
    assert set(sent.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted", "Content-Type",
        "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    assert sent["To"] == "soc@example.org"
    assert b"\n\n" in sent.as_bytes()
    assert sent.get_content_type() == "text/plain"
    assert len(sent["Subject"]) < 3 * NAME


def test_an_alert_of_an_older_version_is_still_read() -> None:
    """What was owed before an upgrade goes out after it, through every template."""
    old = json.loads(encode(make.alert()))
    for member in ("change", "severity", "plain", "test", "links"):
        del old["data"][member]
    read = decode(json.dumps(old).encode())
    assert all("key_7f3a" in make.text(render(read)) for render in TEMPLATES.values())


@given(names)
def test_crowdsec_gets_a_value_as_it_is_or_not_at_all(value: str) -> None:
    """Enforcement needs the exact value; one that CrowdSec cannot hold is refused, not changed."""
    decision = make.decision(key=Key(Scope.CLIENT, value, "digits"))
    if crowdsec.bearable(decision):
        [alert] = parsed(crowdsec.render(decision, make.NOON_US))
        assert alert["decisions"][0]["value"] == alert["source"]["value"] == value
        assert len(msgspec.json.encode(alert)) < MOST
    else:
        assert len(value) > crowdsec.VALUE_CHARS or re.search(r"[\x00-\x1f\x7f-\x9f]", value)


@pytest.mark.parametrize(
    "other", [{"shadow": True}, {"action": Action.ALLOW}, {"until": make.NOON_US}, {"until": make.NOON_US - 1}]
)
def test_crowdsec_gets_nothing_that_is_not_enforced(other: dict[str, Any]) -> None:
    """In shadow, allowed or over: there is no alert with decisions."""
    assert crowdsec.render(make.decision(**other), make.NOON_US) == []


def _urls(alert: Alert) -> set[str]:
    assert alert.data.links is not None
    links = alert.data.links
    return {links.report, links.api, links.proposal, "https://atlas.mitre.org/techniques/AML.T0024.002"} - {""}


def _unpiped(text: str) -> str:
    """Return CEF without its escaped pipes and backslashes."""
    return re.sub(r"\\[\\|]", "", text)
