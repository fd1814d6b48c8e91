"""Looking up the inputs of a client's named queries in past records. What is found is handed on, stored nowhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from consumers.records import check, read
from consumers.report.inputs import Input, Inputs, Key
from detector import names
from detector.brokers import Brokers
from detector.query import Queries, Shape
from detector.wire import RECORD_BYTES_MAX, decode


@dataclass(frozen=True, slots=True)
class Sought:
    """Which inputs are looked for: those of one client's queries, by key, with their times (µs)."""

    client: str
    named: Mapping[Key, int]
    shapes: Mapping[str, Shape]  # of each model's input


def look_up(
    sources: Sequence[str], sought: Sought, bootstrap: Brokers | str | None = None, limit_bytes: int = RECORD_BYTES_MAX
) -> Inputs:
    """Return the inputs f4[D] that the records hold; reads no further than needed. Raises BadSource."""
    check(sources)
    found: dict[Key, Input] = {}
    for source in sources:
        for batch in read(source, bootstrap, limit_bytes=limit_bytes):
            if len(found) == len(sought.named):
                return found
            for queries in decode(batch, sought.shapes, limit_bytes).queries:
                found = _among(queries, sought) | found  # of records with one id the first, as in the detector
    return found


def _among(queries: Queries, sought: Sought) -> dict[Key, Input]:
    if queries.input is None or sought.client not in queries.clients:
        return {}
    times = np.array(list(sought.named.values()), np.int64)
    own = queries.client == queries.clients.index(sought.client)
    found: dict[Key, Input] = {}
    for row in np.flatnonzero(own & queries.has_input & np.isin(queries.time, times)).tolist():
        time = int(queries.time[row])
        key = (queries.model, names.id_text(queries.id[row].astype("<u8").tobytes(), time))
        if sought.named.get(key) == time:
            found.setdefault(key, queries.input[row].copy())  # else it would hold the batch
    return found
