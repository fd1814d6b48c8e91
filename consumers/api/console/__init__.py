"""The console: a small live web page for people. One file a page in `pages`, one an act in `acts`, named there."""

from consumers.api.console.door import router

__all__ = ["router"]
