"""Time that is fair on a busy machine: waiting for a processor is not held against a submission."""

from __future__ import annotations

import time
from pathlib import Path

_PATIENCE = 4.0
"""A request may take this many times its limit on the wall clock, however busy the machine is."""


class Stopwatch:
    """The seconds that a process has had since the start.

    That is wall-clock time without the time in which its main thread was ready to run and waited for a processor, but
    never less than a quarter of the wall-clock time. `pid` None, or a system that does not tell, gives wall-clock time.
    """

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._started = time.monotonic()
        self._before = self._last = _run_delay(pid) or 0.0

    def seconds(self) -> float:
        """Seconds since the start."""
        wall = time.monotonic() - self._started
        delay = _run_delay(self._pid)
        if delay is not None:  # the process may have ended; what it waited until then still counts
            self._last = delay
        return max(wall - (self._last - self._before), wall / _PATIENCE)


def _run_delay(pid: int | None) -> float | None:
    """Seconds that the main thread of `pid` has waited for a processor; None if the system does not tell."""
    if pid is None:
        return None
    try:
        fields = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()
        return int(fields[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None
