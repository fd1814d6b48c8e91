"""Rows named by several columns, however many: a list of tuples would nest as deep in Postgres as it is long.

Some 7,000 of them exceed its stack; arrays, one a column, do not, and the statement is the same for any number.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, bindparam, cast, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY


def among(*columns: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that the columns of a row, all together, are one of the names that `named` binds."""
    arrays = (cast(bindparam(_part(at)), ARRAY(column.type)) for at, column in enumerate(columns))
    listed = func.unnest(*arrays).table_valued(*map(_part, range(len(columns)))).render_derived()
    return tuple_(*columns).in_(select(listed))


def named(names: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Return what a statement with `among` is bound to; `names` are some at least."""
    return {_part(at): list(part) for at, part in enumerate(zip(*names, strict=True))}


def _part(at: int) -> str:
    return f"part_{at}"
