"""Examples of evidence as JSON: what `replay` writes and the table `evidence` keeps."""

from typing import Any

from detector.evidence import Example, Reading
from detector.times import format_time


def examples(reading: Reading) -> list[dict[str, Any]]:
    """Return a reading's examples: a sentence, and by name the query with its partners."""
    return [_example(example) for example in reading.examples]


def _example(example: Example) -> dict[str, Any]:
    queries = [
        {"query": name.number, "time": format_time(name.time), "label": name.label, "id": name.id}
        for name in example.queries
    ]
    return {"says": example.says, "queries": queries}
