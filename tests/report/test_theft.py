"""The report of a real theft, from a real database and a real log: comparison, map, near pairs and thumbnails."""

import base64
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine
from typer.testing import CliRunner

from consumers import lookup, topics
from consumers.lookup import Sought
from consumers.report import page, portrait
from consumers.report.places import HELD, places
from consumers.report.portrait import Memory
from consumers.report.recalled import near_pairs
from consumers.report.usual import usuals
from consumers.store import cases
from consumers.store.engine import connect
from consumers.store.reads import Shown
from gamekeeper.cli import app
from tests.report import theft
from tests.report.test_page import sound

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
pytestmark = pytest.mark.slow  # a population is learnt, which takes a minute


def memory() -> Memory:
    """Return what is remembered of the thief."""
    _, held = theft.judged()
    case = cases.Case(
        Shown([], [], [], []),
        [],
        {theft.POLICY.version: theft.POLICY},
        {held.model: held},
        {held.population: theft.population()},
    )
    found = portrait.memory(case, held.model)
    assert isinstance(found, Memory)
    return found


def test_a_report_shows_the_theft(database: str, tmp_path: Path) -> None:
    """By command: each reading beside ordinary clients, the map, near pairs, and pictures that are the inputs."""
    engine = connect(database)
    name = theft.kept(engine)
    engine.dispose()
    html, log = tmp_path / "report.html", theft.log(tmp_path / "log.jsonl")
    environ = {"DATABASE_URL": database, "COLUMNS": "80"}
    asked = ["report", name, "--html", str(html), "--records", str(log)]
    result = CliRunner().invoke(app, asked, env=environ)
    assert result.exit_code == 0, result.output
    told = html.read_text()
    sound(told)
    assert told.count('class="strip"') >= 8
    assert told.count('class="map"') == 1
    assert "remembered queries lie where 95 % of ordinary ones do" in told
    assert "Near pairs with different answers" in told
    assert "The broken line: 9.2, " in told  # of the verdict's own policy, not of the built-in one
    assert re.search(r"The inputs of all \d+ queries named here were found", told)
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)" alt="The input of query (\d+)', told)
    assert len(pictures) >= 12
    inputs = np.asarray(theft.queries().input).reshape(-1, 8, 8)
    for data, number in pictures:
        seen = matplotlib.image.imread(io.BytesIO(base64.b64decode(data)), "png")
        assert np.allclose(seen, inputs[int(number) - 1].clip(0, 1), atol=0.01)


def test_the_log_may_be_a_topic(database: str, kafka: str, topics_prefix: str, tmp_path: Path) -> None:
    """The named queries are looked up in the topic itself."""
    engine = connect(database)
    name = theft.kept(engine)
    engine.dispose()
    topics.ensure(kafka, 2, topics_prefix)
    producer = KafkaProducer(bootstrap_servers=kafka)
    for row in range(theft.ASKED):
        producer.send(f"{topics_prefix}predictions", theft.record(row), key=name.encode())
    producer.close()
    html = tmp_path / "report.html"
    asked = ["report", name, "--html", str(html), "--records", f"kafka://{topics_prefix}predictions"]
    result = CliRunner().invoke(app, asked, env={"DATABASE_URL": database, "KAFKA_BOOTSTRAP_SERVERS": kafka})
    assert result.exit_code == 0, result.output
    assert "queries named here were found in the records given." in html.read_text()


def test_a_report_without_its_memory_says_so(engine: Engine) -> None:
    """Without a snapshot, a population or a readable memory there is no comparison, and why."""
    name = theft.kept(engine)
    case = cases.case(engine, name)
    [model] = case.memories
    for changed, why in (
        (replace(case, memories={}), "the detector&#39;s memory of this client is not stored"),
        (replace(case, populations={}), "the population or the policy that it was judged under is not stored"),
        (
            replace(case, memories={model: replace(case.memories[model], data=b"?")}),
            "another version wrote the memory of this client",
        ),
    ):
        html = page.client(name, changed, NOON)
        assert f"There is no map and no comparison: {why}." in html
        sound(html)


def test_two_reports_are_the_same() -> None:
    """The plane and the region belong to the population, so the same memory is drawn in the same place."""
    held = memory()
    drawn = [portrait._beside(held)["map"] for _ in range(2)]  # the smallest part with a map
    assert drawn[0] == drawn[1] is not None
    spots = places(held.recalled, held.population)
    assert spots is not None
    region = spots.region.holds(held.population.arrays["reservoir_ux"][:, :2].astype(np.float64))
    assert np.mean(region) == pytest.approx(HELD, abs=0.01)


def test_the_thief_stands_out_where_it_does() -> None:
    """Its strongest reading lies beyond what 99 % of ordinary windows show; its share is that of its sentence."""
    held = memory()
    strongest, *_ = usuals(held.recalled, held.population, held.policy.window)
    assert strongest.levels is not None
    assert strongest.levels == tuple(sorted(strongest.levels))
    assert strongest.own > max(strongest.ceiling, *strongest.levels)
    hits, trials = map(int, re.findall(r"(\d+) of (\d+)", strongest.because)[0])
    assert strongest.own == hits / trials
    pairs = near_pairs(held.recalled, held.population)
    assert any(pair.flipped for pair in pairs)
    assert [pair.apart for pair in pairs] == sorted(pair.apart for pair in pairs)


def test_only_the_clients_own_queries_are_looked_up(tmp_path: Path) -> None:
    """Another client's record, another time, an earlier use of the id: none of them passes for the query named."""
    rows = [json.loads(theft.record(row)) for row in range(3)]
    other = rows[0] | {"client": "somebody else"}
    later = rows[0] | {"time": "2026-11-23T12:00:00Z"}
    blank = {name: value for name, value in rows[1].items() if name != "input"}
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, (other, later, blank, rows[0], rows[2]))))
    model = rows[0]["model"]
    times = theft.queries().time.tolist()
    sought = Sought(
        theft.queries().clients[0], {(model, row["id"]): times[at] for at, row in enumerate(rows)}, {model: (8, 8)}
    )
    found = lookup.look_up([str(log)], sought)
    assert sorted(found) == sorted((model, rows[at]["id"]) for at in (0, 2))
    assert np.array_equal(found[model, rows[0]["id"]], np.asarray(theft.queries().input)[0])
