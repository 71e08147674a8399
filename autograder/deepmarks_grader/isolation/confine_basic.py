"""The layers that a worker puts around itself, in the order in which they must come."""

from __future__ import annotations

import os
import resource

from deepmarks_grader.isolation.plan import WorkerPlan

_FILE_SIZE = 512 << 20
"""Bytes of one file: a checkpoint of ResNet-50 in float32 takes 100 MB."""
_OPEN_FILES = 1024
"""A DataLoader with workers needs some hundred."""


def confine(plan: WorkerPlan) -> None:
    """Give up everything that student code does not need; called in the forked worker, before any of it runs."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_SIZE, _FILE_SIZE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    data = _data_size() + (plan.memory_mb << 20)
    if not plan.cuda:
        resource.setrlimit(resource.RLIMIT_DATA, (data, data))
    os.environ.update(HOME=plan.scratch, TMPDIR=plan.scratch)
    os.chdir(plan.scratch)


def _data_size() -> int:
    """Bytes of private writable memory that this process has already, which the limit counts too."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
