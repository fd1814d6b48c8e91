"""The door: command line, settings, `up`, `demo`, and the real Kafka and Postgres that they start on one machine."""
