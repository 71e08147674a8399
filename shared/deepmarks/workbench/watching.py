"""Waits for a file to change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

_POLL_SECONDS = 0.5


def changes(file: Path, pause: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Yield once at the start, and again each time that `file` has been written; it may vanish in between."""
    seen: tuple[int, int] | None = None
    while True:
        now = _state(file)
        if now is not None and now != seen:
            seen = now
            yield
        else:
            pause(_POLL_SECONDS)


def _state(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None  # many editors write a new file and rename it
    return status.st_mtime_ns, status.st_size
