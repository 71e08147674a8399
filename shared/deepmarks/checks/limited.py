"""Time limits and kept output for checks in the student's own process."""

from __future__ import annotations

import io
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import FrameType

from deepmarks.checks.errors import Broken
from deepmarks.checks.messages import Channel, Reply, Request
from deepmarks.checks.outcomes import Cause
from deepmarks.manifest import Limits

_REPEAT_SECONDS = 1.0
"""The alarm rings again after this time, in case the student's code caught the first one."""


class TimeUp(KeyboardInterrupt):
    """The time for a call, or for a statement, is over."""


@contextmanager
def alarm(seconds: float, ring: Callable[[int, FrameType | None], None], interval: float = 0.0) -> Iterator[bool]:
    """Call `ring` in the block after `seconds`, and then every `interval`; somebody else's alarm goes on afterwards.

    Gives False, and sets none, outside the main thread and on Windows.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield False
        return
    started = time.monotonic()
    previous = signal.signal(signal.SIGALRM, ring)
    remaining, others_interval = signal.setitimer(signal.ITIMER_REAL, seconds, interval)
    try:
        yield True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)
        if remaining:
            left = max(remaining - (time.monotonic() - started), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left, others_interval)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeUp` in the block after `seconds`; no limit outside the main thread and on Windows."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeUp

    with alarm(seconds, ring, _REPEAT_SECONDS):
        yield


class LimitedChannel:
    """A channel whose requests end with `Broken` when the time for a call or a question is used up."""

    def __init__(self, channel: Channel, limits: Limits) -> None:
        self._channel = channel
        self._limits = limits
        self._slow: set[tuple[str, ...]] = set()
        self._question = ""
        self._used = 0.0

    def begin(self, question: str) -> None:
        """The following requests belong to `question`."""
        if question != self._question:
            self._question, self._used = question, 0.0

    def request(self, request: Request) -> Reply:
        """The reply of the channel below; `Broken` after the time limit, with the grader's sentences."""
        # A function that did not finish once gets less time in the checks that follow, as in grading.
        seconds = self._limits.call_seconds / (4 if request.called in self._slow else 1)
        seconds = min(seconds, self._limits.question_seconds - self._used)
        if seconds <= 0:
            raise Broken(Cause.TIMEOUT, "The time for this question was used up before this check.")
        started = time.monotonic()
        try:
            with time_limit(seconds):
                return self._channel.request(request)
        except TimeUp:
            self._slow.add(request.called)
            raise Broken(Cause.TIMEOUT, f"Your code did not finish within {seconds:.3g} seconds.") from None
        finally:
            self._used += time.monotonic() - started

    def renew(self) -> None:
        """Have the channel below do it."""
        self._channel.renew()


class PrintedOutput(io.TextIOBase):
    """Keeps what is printed, up to a limit, until it is taken."""

    def __init__(self, limit_kb: int) -> None:
        self._limit = limit_kb << 10
        self._parts: list[str] = []
        self._size = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Keep `text` as far as there is room."""
        if self._size < self._limit:
            self._parts.append(text[: self._limit - self._size])
        self._size += len(text)
        return len(text)

    def take(self) -> str:
        """What was printed since the last time."""
        text = "".join(self._parts)
        if self._size > self._limit:
            text += "\n(more output was cut off)"
        self._parts, self._size = [], 0
        return text

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Both standard streams are kept here in the block."""
        with redirect_stdout(self), redirect_stderr(self):
            yield
