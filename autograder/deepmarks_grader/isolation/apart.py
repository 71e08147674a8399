"""The grader's own work on hostile bytes, in a fork with limits on time and memory.

No code of a submission runs here; but reading and compiling text can take any amount of both, in single calls of the
interpreter that nothing interrupts.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from deepmarks import wire

SECONDS = 20.0
"""Of processor time. The longest honest notebook takes less than one."""
_WALL_SECONDS = 120.0
MEMORY_MB = 512
"""Beyond what the grader has. The trees of the longest code that is read take 150."""


class TooMuchError(Exception):
    """The work took more time or memory than allowed."""


def apart(work: Callable[[], Any], seconds: float = SECONDS, memory_mb: int = MEMORY_MB) -> Any:
    """The result of `work()`, which must be data (see `deepmarks.wire`).

    Raises TooMuchError beyond `seconds` of processor time or `memory_mb`. An exception in `work` is raised here as a
    RuntimeError with its text. Without fork (Windows) and on macOS, where forks of threaded programs crash, the work
    is done here, without limits.
    """
    if not sys.platform.startswith("linux"):
        return work()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _answer(work, write, seconds, memory_mb)
    os.close(write)
    try:
        answer = _received(read, time.monotonic() + _WALL_SECONDS)
    finally:
        os.close(read)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    try:
        done, result = wire.decode(answer, wire.TRUSTED_SENDER)
    except wire.WireError as error:  # nothing came, or not all of it
        raise TooMuchError from error
    if not done:
        raise RuntimeError(result)
    return result


def _answer(work: Callable[[], Any], write: int, seconds: float, memory_mb: int) -> None:
    """Do the work in this process, write its result, and exit."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGXCPU):
            signal.signal(number, signal.SIG_DFL)
        # Times of the processor count on from the fork.
        limit = int(seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm", encoding="ascii") as file:
            present = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = present + (memory_mb << 20)
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == -1 else min(wanted, hard), hard))
        try:
            answer = wire.encode((True, work()))
        except MemoryError:
            os._exit(1)
        except Exception as error:
            answer = wire.encode((False, f"{type(error).__name__}: {error}"))
        with open(write, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)


def _received(read: int, deadline: float) -> bytes:
    """All that comes through the pipe; empty if that takes until after the deadline."""
    parts: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0:
        if select.select([read], [], [], left)[0]:
            part = os.read(read, 1 << 20)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return b""
