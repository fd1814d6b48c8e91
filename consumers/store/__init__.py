"""The store: everything that must outlive a process, in Postgres. The only room that knows SQL."""
