"""A clock on the grader's own work: what a submission returns must not keep it busy for ever."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from deepmarks.checks.errors import CheckError
from deepmarks.checks.limited import alarm
from deepmarks.checks.messages import Channel, Reply, Request


class OwnTime:
    """Seconds that checks may work on one submission, not counting those in which its code runs.

    When they are over, the check at hand and all later ones raise CheckError: a grader that is merely slow must take
    nobody's points. Outside the main thread and on Windows nothing is limited.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = self._left = seconds
        self._counting = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time inside the block."""
        if self._left <= 0:
            self._ring()
        with alarm(self._left, self._ring) as self._counting:
            try:
                yield
            finally:
                if self._counting:
                    self._left, _ = signal.getitimer(signal.ITIMER_REAL)
                    self._counting = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time inside the block."""
        if not self._counting:
            yield
            return
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0.0)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, left or 0.001)

    def _ring(self, *_: object) -> None:
        raise CheckError(f"the checks worked on this submission for more than {self._seconds:g} seconds of their own")


class UncountedChannel:
    """A channel whose requests do not count as the grader's own time."""

    def __init__(self, channel: Channel, own_time: OwnTime) -> None:
        self._channel = channel
        self._own_time = own_time

    def request(self, request: Request) -> Reply:
        """The reply of the channel below."""
        with self._own_time.paused():
            return self._channel.request(request)

    def renew(self) -> None:
        """Have the channel below do it."""
        with self._own_time.paused():
            self._channel.renew()
