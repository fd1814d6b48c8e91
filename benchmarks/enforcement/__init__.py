"""Enforcement: from a thief's verdict, once it is written, to the first refusal, by each way that decisions take."""
