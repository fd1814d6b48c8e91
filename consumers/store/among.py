"""Rows named by several columns, however many: a list of tuples would nest as deep in Postgres as it is long.

Some 7,000 of them exceed its stack; arrays, one a column, do not, and the statement's text stays the same.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, cast, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY


def among(columns: Sequence[ColumnElement[Any]], names: Sequence[tuple[Any, ...]]) -> ColumnElement[bool]:
    """Return the condition that the columns of a row, all together, are one of `names`."""
    arrays = (cast([name[at] for name in names], ARRAY(column.type)) for at, column in enumerate(columns))
    listed = func.unnest(*arrays).table_valued(*(f"part_{at}" for at in range(len(columns)))).render_derived()
    return tuple_(*columns).in_(select(listed))
