"""The layers that a worker puts around itself, in the order in which they must come.

What is the same for every worker is put around the zygote, whose forks inherit it: no_new_privs and the system-call
filter (see `seal`). Both bind the calling thread only, and the zygote has just one.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Sequence

from deepmarks_grader.isolation import landlock, limits, linux, paths, seccomp, users
from deepmarks_grader.isolation.plan import WorkerPlan

FIRST_FREE = 4
"""Descriptors 0 to 3 of a worker: nothing to read, its output twice, its channel."""


def seal(*, shares_user: bool, shares_files: bool, protected: Sequence[int]) -> dict[str, str]:
    """Confine the zygote as far as all its workers need it; returns the layers with the reason why one is off.

    With `shares_user` its workers keep the grader's uid: then every capability goes as well. `protected` are the
    processes that no worker may name in a system call. With `shares_files` no namespace hides the grader's files.
    """
    reasons: dict[str, str] = {}
    linux.set_dumpable(False)
    linux.set_subreaper(True)
    if shares_user and os.geteuid() == 0:
        _attempt(reasons, "capabilities", lambda: os.setgroups([]), linux.drop_capabilities)
    _attempt(reasons, "no_new_privs", lambda: linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1))
    try:
        program = seccomp.build_filter(
            linux.ARCHITECTURE, protected, shares_user=shares_user, shares_files=shares_files
        )
    except KeyError:
        reasons["seccomp"] = f"the numbers of system calls on {linux.ARCHITECTURE} are not known"
    else:
        _attempt(reasons, "seccomp", lambda: seccomp.install(program))
    try:
        landlock.version()
        reasons["landlock"] = ""
    except OSError as error:
        reasons["landlock"] = f"{error.strerror}: the kernel is older than 5.13, or it is switched off"
    return reasons


def confine(plan: WorkerPlan, parent: int, channel: int, output: int) -> int:
    """Give up everything that student code does not need; returns the Landlock ABI in force, or 0.

    Called in the forked worker, before any student code runs; `parent` is the zygote. Afterwards descriptor 1 and 2
    are `output`, 3 is `channel`, and no other is open. OSError if a layer that the plan demands cannot be had.
    """
    os.setsid()
    rearrange(channel, output)
    limits.limit(plan)
    if plan.uid is not None:
        users.switch(plan.uid)
    if linux.LINUX:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)  # after the switch, which clears it
        if os.getppid() != parent:
            raise ProcessLookupError("the zygote died first")
        if plan.uid is None:
            linux.set_dumpable(True)  # so that memory can be measured; the filter keeps it so
    _settle(plan)
    return landlock.restrict(rules(plan)) if plan.landlock else 0


def rearrange(channel: int, output: int) -> None:
    """Put the two descriptors in their places and close all others."""
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in enumerate((null, output, output, channel)):
        os.dup2(source, target)
    if linux.LINUX:
        linux.close_from(FIRST_FREE)
    else:
        os.closerange(FIRST_FREE, os.sysconf("SC_OPEN_MAX"))


def _settle(plan: WorkerPlan) -> None:
    """Make the scratch directory this process's whole world."""
    os.umask(0o077)
    os.chdir(plan.scratch)
    own = dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), plan.scratch)
    os.environ.update(own, USER="student", LOGNAME="student")
    tempfile.tempdir = None


def rules(plan: WorkerPlan) -> list[landlock.Rule]:
    """What Landlock allows a worker."""
    devices = [*paths.DEVICES, *(paths.cuda_devices() if plan.cuda else [])]
    return [
        *(landlock.Rule(path, landlock.READ) for path in plan.readable),
        *(landlock.Rule(path, landlock.DEVICE) for path in devices),
        *(landlock.Rule(path, landlock.OWN) for path in (plan.scratch, paths.SHARED_MEMORY)),
    ]


def _attempt(reasons: dict[str, str], layer: str, *steps: Callable[[], object]) -> None:
    """Run `steps` and write down under `layer` why they failed; nothing if they did not."""
    try:
        for step in steps:
            step()
        reasons[layer] = ""
    except OSError as error:
        reasons[layer] = error.strerror or str(error)
