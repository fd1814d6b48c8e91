"""One leader at a time, by an advisory lock that lives and dies with a database session."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError


class Leadership:
    """True while it is held, asked of the session that holds it: another may lead once that is gone."""

    def __init__(self, session: Connection | None) -> None:
        self._session = session

    def __bool__(self) -> bool:
        if self._session is None:
            return False
        try:
            self._session.execute(select(1))
        except SQLAlchemyError:
            self._session = None  # lost for good, even if the connection is made again
        return self._session is not None


@contextmanager
def leading(engine: Engine, name: str) -> Iterator[Leadership]:
    """Try, without waiting, to lead what `name` says until the end of the block. Raises SQLAlchemyError.

    Ask the Leadership again before each step: it turns false when the database was restarted meanwhile.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        schema = session.execute(select(func.current_schema())).scalar_one()
        number = func.hashtextextended(f"leader {schema} {name}", 0)
        leads = bool(session.execute(select(func.pg_try_advisory_lock(number))).scalar_one())
        try:
            yield Leadership(session if leads else None)
        finally:
            if leads:
                session.invalidate()  # ends the session, and the lock with it, even when the server is gone
