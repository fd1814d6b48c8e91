"""Rows into tables by COPY BINARY, on SQLAlchemy's own connection.

Measured some ten times the rows a second of INSERT (docs/decisions). Rows go to a temporary table first, because COPY
knows no ON CONFLICT.
"""

import io
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from itertools import chain, repeat
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Executable,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    bindparam,
    event,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.schema import CreateTable

from consumers.store.engine import driver

Row = dict[str, Any]
Encode = Callable[[Any], bytes]
Resolve = Callable[[Insert], Executable]

ROWS_AT_ONCE = 2_000  # rows encoded into one buffer: bounds memory when snapshots are large
PIECE_BYTES = 1 << 16  # given to libpq at once: before each, who writes waits until the thread that reads yields
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_NULL = struct.pack(">i", -1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL counts its microseconds from here
_EPOCH_US = 946_684_800_000_000  # the same, since 1970
_MADE = "stages made"  # of a connection, as long as it lasts


@dataclass(frozen=True, slots=True)
class _Way:
    """The statements by which rows of one kind get into their table."""

    stage: str  # the temporary table's name
    make: str
    copy: str
    move: Executable
    cells: tuple[tuple[str, Encode], ...]  # its columns after the first


def merge(connection: Connection, table: Table, rows: Sequence[Row], resolve: Resolve) -> list[Any]:
    """Insert `rows` and return what the statement that `resolve` completed gives back, if anything.

    Every row is a mapping with the same columns. `resolve` gets the INSERT and adds its ON CONFLICT and, if wanted,
    RETURNING; it is asked once, for statements are kept. Rows go in in the order given, so give them in one order
    everywhere (locks).
    """
    if not rows:
        return []
    way = _way(connection.dialect, table, tuple(rows[0]), resolve)
    _make(connection, way)
    first = _numbered(connection, way, len(rows))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        _copy(connection, way, rows[start : start + ROWS_AT_ONCE], first + start)
    result = connection.execute(way.move, {"first": first})
    return list(result.all()) if result.returns_rows else []


def replaced(new: Insert) -> dict[str, Any]:
    """Return what ON CONFLICT sets where the new row takes the place of the one that is there."""
    columns = cast("Table", new.table).c
    return {column.name: new.excluded[column.name] for column in columns if not column.primary_key}


@cache  # there are as many as kinds of rows; building statements takes longer than writing a few rows
def _way(dialect: Dialect, table: Table, names: tuple[str, ...], resolve: Resolve) -> _Way:
    columns = [Column(name, table.c[name].type) for name in names]
    stage = Table(
        f"stage_{table.name}",
        MetaData(),
        Column("#", BigInteger()),  # keeps the order of the rows; it counts on as long as the connection lasts
        *columns,
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DELETE ROWS",
    )
    number = stage.c["#"]
    chosen = select(*(stage.c[name] for name in names)).where(number >= bindparam("first")).order_by(number)
    quoted = map(dialect.identifier_preparer.quote, (stage.name, "#", *names))
    return _Way(
        stage=stage.name,
        make=";".join(_making(dialect, stage)),
        copy="COPY {} ({}) FROM STDIN (FORMAT binary)".format(next(quoted), ", ".join(quoted)),
        move=resolve(insert(table).from_select(names, chosen)),
        cells=tuple((column.name, _encoder(column)) for column in columns),
    )


def _making(dialect: Dialect, stage: Table) -> Iterator[str]:
    """Yield the statements that make a stage. Bytes are not compressed in it: they stay for one statement only."""
    quote = dialect.identifier_preparer.quote
    yield str(CreateTable(stage, if_not_exists=True).compile(dialect=dialect))
    for column in stage.columns:
        if isinstance(column.type, LargeBinary):
            yield f"ALTER TABLE {quote(stage.name)} ALTER {quote(column.name)} SET STORAGE EXTERNAL"


def _make(connection: Connection, way: _Way) -> None:
    """Make the stage, once a connection."""
    made = connection.info.setdefault(_MADE, set())
    if way.stage not in made:
        connection.exec_driver_sql(way.make)
        made.add(way.stage)


@event.listens_for(Engine, "rollback")
def _unmade(connection: Connection) -> None:
    """Forget the stages: one that was made in the transaction is gone with it."""
    if not connection.invalidated:
        connection.info.pop(_MADE, None)


def _numbered(connection: Connection, way: _Way, rows: int) -> int:
    """Return the number of the next of `rows` rows to come into the stage.

    Rows that came earlier in the same transaction are left there and passed over, for its end empties the stage.
    """
    first = int(connection.info.get(way.stage, 0))
    connection.info[way.stage] = first + rows
    return first


def _copy(connection: Connection, way: _Way, rows: Sequence[Row], first: int) -> None:
    with driver(connection) as direct, direct.cursor() as cursor:
        cursor.copy_expert(way.copy, io.BytesIO(b"".join(_encoded(way, rows, first))), PIECE_BYTES)


def _encoded(way: _Way, rows: Sequence[Row], first: int) -> Iterator[bytes]:
    """Yield the rows, encoded column by column: that saves two thirds of the time of cell by cell."""
    width = struct.pack(">h", 1 + len(way.cells))
    numbers = map(_LONG, range(first, first + len(rows)))
    columns = [_fields(rows, name, encode) for name, encode in way.cells]
    yield _HEADER
    yield from chain.from_iterable(zip(repeat(width), numbers, *columns))  # width has no end
    yield _TRAILER


def _fields(rows: Iterable[Row], name: str, encode: Encode) -> list[bytes]:
    """Return one column of the rows, each field with its length before it."""
    return [_NULL if row[name] is None else encode(row[name]) for row in rows]


def _encoder(column: Column[Any]) -> Encode:
    """Return what encodes a value of the column, its length before it."""
    for kind, encode in _ENCODERS:
        if isinstance(column.type, kind):
            return encode
    raise TypeError(f"no binary form for {column.type} of {column}")


def _fixed(form: str) -> Encode:
    """Return the encoder of values that all take as many bytes."""
    return partial(struct.Struct(">i" + form).pack, struct.calcsize(">" + form))


_LENGTH = struct.Struct(">i").pack
_LONG = _fixed("q")


def _bytes(value: bytes) -> bytes:
    return _LENGTH(len(value)) + value


def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _time(value: datetime | int) -> bytes:
    """Encode a time; an int is µs since 1970 UTC."""
    if isinstance(value, int):
        return _LONG(value - _EPOCH_US)
    delta = value - _EPOCH
    return _LONG((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds)


def _json(value: Any) -> bytes:
    return _bytes(b"\x01" + json.dumps(value).encode())  # version 1 of jsonb's binary form is its text


def _uuid(value: UUID) -> bytes:
    return _bytes(value.bytes)


# BigInteger is a kind of Integer, so it comes first.
_ENCODERS: tuple[tuple[type, Encode], ...] = (
    (BigInteger, _LONG),
    (Integer, _fixed("i")),
    (Float, _fixed("d")),
    (Boolean, _fixed("?")),
    (DateTime, _time),
    (Uuid, _uuid),
    (LargeBinary, _bytes),
    (Text, _text),
    (JSONB, _json),
)
