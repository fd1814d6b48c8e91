"""Chaos: the whole road under kill -9, sleepers and outages, compared with a replay of the same records."""
