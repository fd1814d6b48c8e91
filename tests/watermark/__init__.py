"""Watermarks: what is promised of them, on real models."""
