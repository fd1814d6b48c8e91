"""The emptied database of the store's tests, for reports."""

from tests.store.conftest import database, engine, store_database

__all__ = ["database", "engine", "store_database"]
