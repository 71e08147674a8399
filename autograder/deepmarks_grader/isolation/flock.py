"""The zygote's workers: watched while they live, and ended with every process that they started."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from deepmarks_grader.isolation import leftovers, processes
from deepmarks_grader.isolation.linux import LINUX
from deepmarks_grader.isolation.plan import WorkerPlan
from deepmarks_grader.isolation.watch import Watch

_GONE_SECONDS = 5.0
"""A killed process with much memory takes a while to be gone."""


@dataclass(slots=True)
class _Member:
    """A worker that has not been ended yet."""

    plan: WorkerPlan
    watch: Watch | None
    end: dict[str, Any] | None = None
    """How it ended, once it is dead and collected."""
    breach: str = ""
    """The limit for which it was killed."""


class Flock:
    """All workers of one zygote. The zygote collects orphans, so whatever a worker starts stays below it."""

    def __init__(self) -> None:
        self._members: dict[int, _Member] = {}
        self._next: _Member | None = None
        self._myself = os.getpid()

    @property
    def any_alive(self) -> bool:
        """Whether there is anything to watch."""
        return LINUX and any(member.end is None for member in self._members.values())

    def expect(self, plan: WorkerPlan) -> None:
        """Note how things are before a worker is forked."""
        baseline = processes.resident(self._myself) if LINUX else 0
        self._next = _Member(plan, Watch(plan, baseline) if LINUX else None)

    def add(self, pid: int) -> None:
        """Take in the worker that was forked."""
        assert self._next is not None
        self._members[pid] = self._next

    def poll(self) -> None:
        """Kill every worker that is over a limit."""
        self._collect()
        for pid, member in self._members.items():
            if member.end is None and member.watch is not None and not member.breach:
                member.breach = member.watch.breach(processes.family([pid, *self._orphans(member)]))
                if member.breach:
                    self._kill(pid, member)

    def wait(self, pid: int, seconds: float) -> dict[str, Any]:
        """How a worker that hung up by itself ended; without a status if it lives on after `seconds`."""
        member = self._members.get(pid)
        if member is None:
            return {"status": None}
        processes.wait_until(lambda: self._is_over(member), seconds)
        return {"status": None, **(member.end or {}), "breach": member.breach}

    def end(self, pid: int) -> dict[str, Any]:
        """Kill a worker and everything that it started; says how it ended and how many processes would not die."""
        member = self._members.get(pid)
        if member is None:
            return {"status": None}
        left = self._kill(pid, member)
        del self._members[pid]
        if member.plan.private and not self._members:
            leftovers.empty(leftovers.SHARED_MEMORY)
        return {"status": None, **(member.end or {}), "breach": member.breach, "left": left}

    def end_all(self) -> None:
        """Kill everything."""
        for pid in list(self._members):
            self.end(pid)

    def _kill(self, pid: int, member: _Member) -> int:
        """Kill a worker and its descendants; returns how many are left after some seconds."""
        deadline = time.monotonic() + _GONE_SECONDS
        # A worker that has died keeps its number until it is collected here, so this cannot hit a stranger.
        if member.end is None:
            if not LINUX:
                _signal_group(pid)
            os.kill(pid, signal.SIGKILL)
            processes.wait_until(lambda: self._is_over(member), _GONE_SECONDS)
        if not LINUX:
            return 0
        # Its children are ours now: where there is none, nothing is left.
        while orphans := self._orphans(member):
            if time.monotonic() > deadline:
                return len(orphans)
            if member.plan.uid is not None:
                processes.kill_user(member.plan.uid)
                if processes.wait_until(lambda: not self._left(member), 0.5):
                    continue
            processes.kill_family(lambda: self._orphans(member))
            processes.wait_until(lambda: not self._left(member), 0.1)
        return 0

    def _left(self, member: _Member) -> bool:
        self._collect()
        return member.end is None or bool(self._orphans(member))

    def _is_over(self, member: _Member) -> bool:
        self._collect()
        return member.end is not None

    def _collect(self) -> None:
        """Take leave of every dead child."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self._members:
                self._members[pid].end = {
                    "status": os.waitstatus_to_exitcode(status),
                    "peak_kb": usage.ru_maxrss,
                    "cpu": usage.ru_utime + usage.ru_stime,
                }

    def _orphans(self, member: _Member) -> list[int]:
        """Adopted children that this worker may have started."""
        found = [child for child in processes.children(self._myself) if child not in self._members]
        uid = member.plan.uid
        return found if uid is None else [child for child in found if processes.user_of(child) == uid]


def _signal_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        return
