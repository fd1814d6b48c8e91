"""Tests of what keeps strangers out and secrets in."""
