"""Keeps count of what a whole submission uses, which no limit of the kernel does: memory, processes and files."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from deepmarks_grader.isolation import leftovers, processes
from deepmarks_grader.isolation.limits import PROCESSES
from deepmarks_grader.isolation.plan import WorkerPlan

POLL_SECONDS = 0.05
STORED_BYTES = 1 << 30
"""What all files of a submission may take."""
STORED_FILES = 20_000
_FILES_EVERY = 0.2
_SHARE = 20
"""A costly measurement waits this many times its own duration before it is repeated."""
_GROWTH = 4 * STORED_BYTES
"""Growth of a file system for which a submission is blamed where its open files cannot be asked for."""


@dataclass(slots=True)
class Watch:
    """What one worker and its descendants may use; `breach` says which limit they are over."""

    plan: WorkerPlan
    baseline: int
    """Resident bytes of the zygote, most of which each fork of it shares."""
    shared_before: frozenset[str] = field(default_factory=leftovers.shared_memory_names)
    _free_before: dict[str, int] = field(init=False)
    _next_exact: float = 0.0
    _next_files: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._free_before = {place: _free(place) for place in (self.plan.scratch, leftovers.SHARED_MEMORY)}

    def breach(self, pids: Sequence[int]) -> str:
        """`memory`, `processes` or `files`, if the processes `pids` use too much of it; else the empty string."""
        if len(pids) > PROCESSES:
            return "processes"
        if self._too_much_memory(pids):
            return "memory"
        now = time.monotonic()
        if now >= self._next_files:
            if self._too_many_files(pids):
                return "files"
            done = time.monotonic()
            self._next_files = done + max(_FILES_EVERY, _SHARE * (done - now))
        return ""

    def _too_much_memory(self, pids: Sequence[int]) -> bool:
        limit = self.plan.memory_mb << 20
        residents = [processes.resident(pid) for pid in pids]
        # Cheap and never too low; the exact sum is taken only where this is over the limit.
        if sum(residents) - self.baseline <= limit:
            return False
        now = time.monotonic()
        if now < self._next_exact:
            return False
        total = 0
        for pid, rough in zip(pids, residents, strict=True):
            exact = processes.proportional(pid)
            total += max(0, rough - self.baseline) if exact is None else exact
        done = time.monotonic()
        self._next_exact = done + 2 * (done - now)
        # Of the zygote's pages the whole family has at most all, once.
        return total - self.baseline > limit

    def _too_many_files(self, pids: Sequence[int]) -> bool:
        stored, count = leftovers.size(self.plan.scratch, most_files=STORED_FILES)
        for name in leftovers.shared_memory_names() - self.shared_before:
            try:
                info = os.lstat(f"{leftovers.SHARED_MEMORY}/{name}")
            except OSError:
                continue
            if info.st_uid == (self.plan.uid if self.plan.uid is not None else os.geteuid()):
                stored += info.st_blocks * 512
                count += 1
        nameless = processes.unlinked(pids)
        if nameless is None:
            shared = leftovers.SHARED_MEMORY
            if self._growth(self.plan.scratch) > _GROWTH or self._growth(shared) > self.plan.memory_mb << 20:
                return True
        return count > STORED_FILES or stored + (nameless or 0) > STORED_BYTES

    def _growth(self, place: str) -> int:
        return self._free_before[place] - _free(place)


def _free(place: str) -> int:
    try:
        info = os.statvfs(place)
    except OSError:
        return 0
    return info.f_bfree * info.f_frsize
