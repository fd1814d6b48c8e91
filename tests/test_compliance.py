"""docs/compliance.md: each test that it names exists, each line names one, and nothing is claimed that must not be."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs" / "compliance.md").read_text(encoding="utf-8")
ROWS = [line for line in DOC.splitlines() if line.startswith("| ") and "---" not in line]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", DOC)))


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_exists(name: str) -> None:
    """As a test function of that file."""
    file, _, function = name.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_line_names_a_test() -> None:
    """Apart from the tables' heads."""
    heads = ("| technique |", "| mitigation |", "| what it advises |", "| requirement |", "| attack |", "| need |")
    claims = [row for row in ROWS if not row.startswith(heads)]
    assert len(claims) > 30
    assert [row for row in claims if "::test_" not in row] == []


def test_mitigations_that_do_not_list_extraction_are_not_claimed() -> None:
    """ATLAS attaches neither to the theft of a model."""
    assert [row for row in ROWS if "M0015" in row or "M0006" in row] == []
