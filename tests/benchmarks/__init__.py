"""Tests of the benchmarks: the arena's parts, and what the detector does in it."""
