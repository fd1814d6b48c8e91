"""One leader at a time, by an advisory lock that lives and dies with a database session."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, func, select


@contextmanager
def leading(engine: Engine, name: str) -> Iterator[bool]:
    """Yield whether nobody else leads what `name` says; try without waiting, and lead until the end of the block.

    Should the session die meanwhile, another may lead, too: leases and the order of each key hold all the same.
    Raises SQLAlchemyError.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        schema = session.execute(select(func.current_schema())).scalar_one()
        number = func.hashtextextended(f"leader {schema} {name}", 0)
        leads = bool(session.execute(select(func.pg_try_advisory_lock(number))).scalar_one())
        try:
            yield leads
        finally:
            if leads:
                session.invalidate()  # ends the session, and the lock with it, even when the server is gone
