"""A line in the log for each refusal, bounded, so that a flood of bad keys does not flood the log."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gateway.faults import Fault

LINES_MAX = 20  # a second
TEXT_MAX = 128  # characters of a value

_log = structlog.get_logger("gateway.refusals")


@dataclass
class RefusalLog:
    """Writes at most `lines` a second; each line tells how many before it were left out. Used by one thread."""

    lines: int = LINES_MAX
    clock: Callable[[], float] = time.monotonic  # s
    left_out: int = 0  # since the last line
    _second: int = -1
    _written: int = 0  # in this second

    def write(self, fault: Fault) -> None:
        """Write one line, unless this second has had enough."""
        second = int(self.clock())
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= self.lines:
            self.left_out += 1
            return
        self._written += 1
        left_out, self.left_out = self.left_out, 0
        about = {name: _shown(value) for name, value in fault.about.items()}
        _log.info("refused", reason=fault.code, status=fault.status, left_out=left_out, **about)


def _shown(text: str) -> str:
    """Return what a client may have chosen (a model's name in a path) as a line can hold it."""
    return (text if text.isprintable() else ascii(text))[:TEXT_MAX]
