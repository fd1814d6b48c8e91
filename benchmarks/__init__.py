"""Every figure that the documentation quotes comes from `python -m benchmarks NAME [--json OUT]`.

A benchmark is one file here with `options(parser)` and `run(options) -> dict`, and one line in `REGISTRY`.
"""
