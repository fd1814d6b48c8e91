"""What the benchmarks measure with, held against independent reckoning."""
