"""The HTTP door for bouncers, people and their tools. One file a group of endpoints, named in `server`."""

from consumers.api.server import app, run
from consumers.api.settings import ApiSettings

__all__ = ["ApiSettings", "app", "run"]
