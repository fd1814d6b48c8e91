"""Alembic's entry: runs the steps on the connection and in the transaction of `consumers.store.migrate`."""

from alembic import context

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("migrations run through `gamekeeper migrate`, which takes a lock first")
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
