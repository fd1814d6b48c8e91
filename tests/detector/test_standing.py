"""The transition table: complete, one way up, and the documentation draws it."""

from pathlib import Path

import pytest

from detector.standing import TRANSITIONS, Push, Standing, diagram, move

DOCUMENT = Path(__file__).parents[2] / "docs" / "standings.md"
EVIDENCE = (Push.WATCH, Push.SUSPECT, Push.CONFIRM)


@pytest.mark.parametrize("standing", Standing)
def test_each_standing_has_a_row(standing: Standing) -> None:
    """No standing is left out of the table."""
    assert standing in TRANSITIONS


@pytest.mark.parametrize("standing", Standing)
@pytest.mark.parametrize("push", EVIDENCE)
def test_evidence_never_lowers_a_standing(standing: Standing, push: Push) -> None:
    """Evidence leaves a standing or raises it; so it cannot flap."""
    assert move(standing, push).rank >= standing.rank


@pytest.mark.parametrize("standing", [standing for standing in Standing if standing is not Standing.CLEAR])
@pytest.mark.parametrize("push", [Push.EXPIRY, Push.LIFT])
def test_time_and_people_end_an_episode(standing: Standing, push: Push) -> None:
    """Expiry and a lift lead to clear, from wherever the client stands."""
    assert move(standing, push) is Standing.CLEAR


def test_clear_stays_clear_without_evidence() -> None:
    """A clear client has nothing to lift and nothing that expires."""
    assert move(Standing.CLEAR, Push.LIFT) is Standing.CLEAR
    assert move(Standing.CLEAR, Push.EXPIRY) is Standing.CLEAR


def test_documentation_draws_the_table() -> None:
    """docs/standings.md holds the diagram that the table gives today."""
    assert diagram() in DOCUMENT.read_text(encoding="utf-8")
