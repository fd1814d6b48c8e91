"""What the tables are made of: one metadata, and columns that cannot be written without a comment."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

TIME = DateTime(timezone=True)
TEXT = Text()
INT = Integer()
LONG = BigInteger()
REAL = Float(53)
FLAG = Boolean()
BYTES = LargeBinary()
UUID = Uuid()
JSON = JSONB()


def key(name: str, kind: TypeEngine[Any], comment: str) -> Column[Any]:
    """Return a column of the primary key."""
    return Column(name, kind, primary_key=True, autoincrement=False, comment=comment)


def must(name: str, kind: TypeEngine[Any], comment: str) -> Column[Any]:
    """Return a column that every row fills."""
    return Column(name, kind, nullable=False, comment=comment)


def may(name: str, kind: TypeEngine[Any], comment: str) -> Column[Any]:
    """Return a column that may be null; the comment says what null means."""
    return Column(name, kind, nullable=True, comment=comment)


def count(name: str, comment: str) -> Column[Any]:
    """Return a counter that starts at zero."""
    return Column(name, BigInteger(), nullable=False, server_default="0", comment=comment)


def stamp(name: str, comment: str) -> Column[Any]:
    """Return a time that the database fills with its own clock."""
    return Column(name, TIME, nullable=False, server_default=func.now(), comment=comment)
