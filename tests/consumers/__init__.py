"""Tests of the consumers room."""
