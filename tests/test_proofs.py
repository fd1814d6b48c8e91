"""The table of other people's clients is what the tests say."""

import pytest

from tests import proofs


def test_the_documentation_has_the_proofs_that_there_are() -> None:
    """docs/integrations.md ends with the table; `python -m tests.proofs` writes it anew."""
    assert proofs.DOCS.read_text(encoding="utf-8").endswith(proofs.table())


def test_every_client_proves_something() -> None:
    """A client that is named is one that a test runs, and the other way round."""
    assert {one.client for one in proofs.proofs()} == set(proofs.CLIENTS)


def test_marks_are_read_as_pytest_reads_them(request: pytest.FixtureRequest) -> None:
    """Of the tests that this session collected, the source says the same as the marks."""
    marks = [(one.name.partition("[")[0], *mark.args) for one in request.session.items for mark in _marks(one)]
    assert set(marks) <= {(one.test.rpartition("::")[2], one.client, one.what) for one in proofs.proofs()}


def _marks(test: pytest.Item) -> list[pytest.Mark]:
    return list(test.iter_markers(proofs.MARK))
