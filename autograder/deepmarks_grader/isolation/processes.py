"""Which processes belong to a submission, what they use, and how to end every one of them."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable, Collection, Iterable

_PAGE = os.sysconf("SC_PAGE_SIZE")


def children(pid: int) -> list[int]:
    """The living and dead children of a process; empty if it is gone."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:
        if not os.path.exists("/proc/self/task") or os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
            return found
        return [child for child, parent in _parents().items() if parent == pid]
    return found


def _parents() -> dict[int, int]:
    """Every process's parent, for kernels that list no children."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                found[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            continue
    return found


def family(roots: Iterable[int]) -> list[int]:
    """The processes `roots` and all their descendants."""
    found = list(dict.fromkeys(roots))
    for pid in found:
        found += [child for child in children(pid) if child not in found]
    return found


def user_of(pid: int) -> int | None:
    """The real user of a process; None if it is gone. (Its directory in /proc may belong to root instead.)"""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            return int(status.read(1024).partition(b"\nUid:")[2].split(None, 1)[0])
    except (OSError, IndexError):
        return None


def is_filtered(pid: int) -> bool:
    """Whether a process has a system-call filter and can gain no privileges."""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            text = status.read()
    except OSError:
        return False
    return b"\nNoNewPrivs:\t1\n" in text and b"\nSeccomp:\t2\n" in text


def resident(pid: int) -> int:
    """Resident bytes of a process, shared ones included; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def proportional(pid: int) -> int | None:
    """Resident and swapped bytes of a process, where shared ones count in part; None if it may not be asked."""
    total = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith((b"Pss:", b"SwapPss:")):
                    total += int(line.split()[1]) << 10
    except FileNotFoundError:
        return None if os.path.exists(f"/proc/{pid}") else 0
    except ProcessLookupError:
        return 0
    except OSError:
        return None
    return total


def unlinked(pids: Iterable[int]) -> int | None:
    """Bytes in files without a name that processes hold open, memfds included; None if that may not be asked."""
    files: dict[tuple[int, int], int] = {}
    for pid in pids:
        try:
            descriptors = os.listdir(f"/proc/{pid}/fd")
        except PermissionError:
            return None
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                info = os.stat(f"/proc/{pid}/fd/{descriptor}")
            except OSError:
                continue
            if stat.S_ISREG(info.st_mode) and info.st_nlink == 0:
                files[info.st_dev, info.st_ino] = info.st_blocks * 512
    return sum(files.values())


def kill_user(uid: int) -> None:
    """Kill every process of `uid`, from a child that becomes it: one call reaches them all, however fast they fork."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def kill_family(roots: Callable[[], Collection[int]]) -> None:
    """Kill the processes that `roots` gives and their descendants.

    They are all stopped first, so that none can fork while the others die. `roots` is asked again in each round, since
    orphans move to the nearest ancestor that collects them.
    """
    stopped: set[int] = set()
    while True:
        fresh = [pid for pid in family(roots()) if pid not in stopped]
        if not fresh:
            break
        for pid in fresh:
            _signal(pid, signal.SIGSTOP)
        stopped.update(fresh)
    for pid in stopped:
        _signal(pid, signal.SIGKILL)


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Whether `done` came true in time, asked every millisecond."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return
