"""Limits that the kernel keeps for each process by itself."""

from __future__ import annotations

import contextlib
import os
import resource

from deepmarks_grader.isolation.plan import WorkerPlan

FILE_BYTES = 512 << 20
"""Size of one file: a checkpoint of ResNet-50 in float32 takes 100 MB."""
OPEN_FILES = 1024
"""A DataLoader with workers needs some hundred."""
PROCESSES = 256
"""Processes and threads of one submission."""


def limit(plan: WorkerPlan) -> None:
    """Set the limits of this process; each holds for every descendant as well."""
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_FSIZE, FILE_BYTES)
    _set(resource.RLIMIT_NOFILE, OPEN_FILES)
    if plan.cpu_seconds:
        # The signal at the soft limit can be ignored; the kill one second later cannot.
        _set(resource.RLIMIT_CPU, plan.cpu_seconds, plan.cpu_seconds + 1)
    if plan.uid is not None:
        # The kernel counts by uid, so this makes sense for a uid of the submission's own only.
        _set(resource.RLIMIT_NPROC, PROCESSES)
    data = _data_bytes()
    # CUDA maps far more memory than it uses.
    if data is not None and not plan.cuda:
        _set(resource.RLIMIT_DATA, data + (plan.memory_mb << 20))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as adjust:
        adjust.write("1000")  # if the machine runs out of memory, this process goes first


def _set(kind: int, soft: int, hard: int | None = None) -> None:
    """Lower a limit; one that is lower already stays."""
    hard = soft if hard is None else hard
    present = resource.getrlimit(kind)[1]
    if present != resource.RLIM_INFINITY:
        hard = min(hard, present)
    resource.setrlimit(kind, (min(soft, hard), hard))


def _data_bytes() -> int | None:
    """Bytes of private writable memory that this process has already, which the limit counts too."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
