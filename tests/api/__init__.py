"""The decision API and the REST API, over HTTP, on a real Postgres."""
