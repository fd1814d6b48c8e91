"""From clients to rows, and what is run at all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import detection
from benchmarks.arena import data, honest
from benchmarks.arena.records import OURS, Record, attacks, result
from benchmarks.arena.records import honest as honest_rows
from benchmarks.arena.sizes import QUICK, Sizes, settings

THIEF = Record(0, "plain", OURS, "attack", "bisection", "pure", False, "t", 400, 16, 16)
USER = Record(0, "plain", OURS, "honest", "iid", "", True, "u", 90, None, None)


def test_medians_are_over_those_who_were_blocked() -> None:
    """Shares count everyone; agreement is the mean of what was measured."""
    thieves = [
        replace(THIEF, agreement_at_block=0.2, agreement_undefended=0.8),
        replace(THIEF, blocked=48, agreement_at_block=0.4, agreement_undefended=0.6),
        replace(THIEF, blocked=None),
        replace(THIEF, suspected=None, blocked=None),
    ]
    [row] = attacks(thieves)
    assert (row["clients"], row["suspected"], row["blocked"]) == (4, 3, 2)
    assert (row["median_queries_to_block"], row["p90"]) == (32.0, pytest.approx(44.8))
    assert row["agreement_at_block"] == pytest.approx(0.3)
    assert row["agreement_undefended"] == pytest.approx(0.7)


def test_seeds_share_a_row_and_settings_do_not() -> None:
    """A row is a setting's kind, whatever the seed."""
    records = [USER, replace(USER, setting="rich"), replace(USER, seed=1, suspected=32)]
    plain, rich = honest_rows(records)
    assert plain == {"setting": "plain", "kind": "iid", "seen": True, "clients": 2, "suspected": 1, "blocked": 0}
    assert (rich["setting"], rich["clients"]) == ("rich", 1)


def test_every_judge_has_its_place() -> None:
    """Ours, peers and ours without a signal are told apart; all clients are kept raw."""
    judges = [OURS, "prada", "without line"]
    found = result([replace(one, judge=judge) for one in (THIEF, USER) for judge in judges], {"dataset": "toy"})
    assert [row["clients"] for row in found["honest"] + found["attacks"]] == [1, 1]
    assert list(found["peers"]) == ["prada"]
    assert [row["clients"] for row in found["peers"]["prada"]["honest"]] == [1]
    assert list(found["ablation"]) == ["without line"]
    assert len(json.loads(json.dumps(found))["raw"]) == 6


def test_seeds_that_ran_alone_are_told_together(tmp_path: Path) -> None:
    """Two runs of a seed each are the run of both; runs that share a seed are refused."""
    for seed in (0, 1):
        about = {"dataset": "toy", "seeds": [seed], "microseconds_a_query": 20.0 + seed, "worlds": [{"seed": seed}]}
        found = result([replace(USER, seed=seed), replace(THIEF, seed=seed)], about)
        (tmp_path / f"{seed}.json").write_text(json.dumps(found), encoding="utf-8")
    both, records = detection.together([tmp_path / "0.json", tmp_path / "1.json"])
    assert [record.seed for record in records] == [0, 0, 1, 1]
    assert (both["seeds"], both["microseconds_a_query"], len(both["worlds"])) == ([0, 1], 20.5, 2)
    assert [row["clients"] for row in both["honest"] + both["attacks"]] == [2, 2]
    with pytest.raises(ValueError, match="share a seed"):
        detection.together([tmp_path / "0.json", tmp_path / "0.json"])


def test_each_kind_is_left_out_once() -> None:
    """It is judged under the population that lacks it, and nobody else is."""
    known = data.load("tabular", 0)
    every = tuple(honest.kinds(known))
    plain, rich, *without = settings(known, Sizes(), leave_out=True)
    assert (plain.past.kinds, rich.past.kinds) == (honest.PLAIN, every)
    assert plain.judged == rich.judged == every
    assert [setting.judged for setting in without] == [(kind,) for kind in every]
    assert all(not set(setting.judged) & set(setting.past.kinds) for setting in without)
    assert [setting.name for setting in settings(known, QUICK, leave_out=False)] == ["plain"]


@pytest.mark.parametrize("name", sorted(command.REGISTRY))
def test_every_benchmark_names_its_options(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`NAME --help` works and shows what is common to all."""
    monkeypatch.setattr("sys.argv", ["benchmarks", name, "--help"])
    with pytest.raises(SystemExit) as left:
        command.main()
    assert left.value.code == 0
    assert "--json" in capsys.readouterr().out
