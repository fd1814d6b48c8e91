"""Records that nobody would write, of both forms: nothing raises, and everything is accounted for."""

import random

import pytest

from benchmarks import fuzz

MUTATIONS = 5_000
BUILT = 300


@pytest.mark.parametrize("form", fuzz.FORMS)
def test_mutations(form: str) -> None:
    """Mutated records end as queries or unreadable, and good ones beside them stay readable."""
    dice = random.Random(form)  # noqa: S311  # a test's dice, the same each time
    good = fuzz.good(form)
    values = [fuzz.mutate(good, dice) for _ in range(MUTATIONS)]
    found = [fuzz.accounted(values[at : at + fuzz.BATCH], fuzz.FORMS[form]) for at in range(0, MUTATIONS, fuzz.BATCH)]
    assert sum(unreadable for _, unreadable, _ in found) > MUTATIONS // 10


@pytest.mark.parametrize("form", fuzz.FORMS)
def test_built_records(form: str) -> None:
    """Records that hypothesis builds of right and wrong members, too."""
    queries, unreadable, _ = fuzz.accounted(fuzz.built(form, BUILT, 0), fuzz.FORMS[form])
    assert queries > 0
    assert unreadable > 0
