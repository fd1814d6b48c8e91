"""Tests of learning a population."""
