"""Placeholder: the owner of this room writes its docstring."""
