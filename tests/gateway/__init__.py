"""Tests of the gateway: over real sockets, with real Keras models and a real Kafka."""
