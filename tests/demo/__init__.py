"""Tests of the demo's clients, copies and screens."""
