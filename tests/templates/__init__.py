"""Tests of what other people's tools are told."""
