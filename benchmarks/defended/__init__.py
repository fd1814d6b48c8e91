"""Defended models: what each defence leaves to a thief, and what it costs an honest client."""
