"""What a client's queries mean. Pure: no clock, no environment, no log, no IO.

Import what you need from its modules; this door is empty so that the gateway can take the
wire facts (`detector.records`, `detector.decision`) without numba, scikit-learn and river.
"""
