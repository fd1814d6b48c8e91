"""How a process is: what is wrong with it right now, and whether its main loop still turns."""

import threading
import time
from collections.abc import Callable

STUCK_SECONDS = 15.0  # a loop that has not turned for so long is stuck; the longest honest step takes a few seconds


class Health:
    """What each part last said of itself. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never run back."""
        self._clock = clock
        self._lock = threading.Lock()
        self._faults: dict[str, str] = {}
        self._turned = clock()

    def fault(self, part: str, why: str) -> None:
        """Note that `part` does not work, and why."""
        with self._lock:
            self._faults[part] = why

    def fine(self, part: str) -> None:
        """Note that `part` works (again)."""
        with self._lock:
            self._faults.pop(part, None)

    def turn(self) -> None:
        """Note that the main loop has come round once more."""
        self._turned = self._clock()

    @property
    def idle(self) -> float:
        """Seconds since the main loop last came round."""
        return self._clock() - self._turned

    def why(self) -> str | None:
        """Return in words what is wrong, or None when nothing is."""
        with self._lock:
            faults = [f"{part}: {why}" for part, why in sorted(self._faults.items())]
        if self.idle > STUCK_SECONDS:
            faults.append(f"the main loop has not turned for {self.idle:.0f} s")
        return "; ".join(faults) or None
