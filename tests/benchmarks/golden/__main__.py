"""`python -m tests.benchmarks.golden`: let the figures of the detector as it is be golden."""

from tests.benchmarks.golden import rewrite

rewrite()
