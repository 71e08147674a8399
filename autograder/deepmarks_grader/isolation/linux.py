"""The kernel calls that Python's `os` has not, by ctypes. Each raises OSError with the kernel's errno."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

LINUX = sys.platform.startswith("linux")
ARCHITECTURE = platform.machine()

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_LIBC = ctypes.CDLL(None, use_errno=True)
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CLOSE_RANGE = 436
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63


def syscall(number: int, *arguments: int) -> int:
    """The result of system call `number`."""
    result: int = _LIBC.syscall(ctypes.c_long(number), *(ctypes.c_ulong(value) for value in arguments))
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))
    return result


def prctl(option: int, *arguments: int) -> int:
    """The result of `prctl`."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    result: int = _LIBC.prctl(ctypes.c_int(option), *(ctypes.c_ulong(value) for value in padded))
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))
    return result


def close_from(first: int) -> None:
    """Close every descriptor from `first` on."""
    try:
        syscall(_CLOSE_RANGE, first, 0xFFFFFFFF, 0)
    except OSError:
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def set_dumpable(on: bool) -> None:
    """Let or forbid other processes of this user to read this one's memory, environment and descriptors."""
    prctl(PR_SET_DUMPABLE, int(on))


def is_subreaper() -> bool:
    """Whether orphaned descendants of this process become its children."""
    flag = ctypes.c_int(0)
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.addressof(flag))
    return bool(flag.value)


def set_subreaper(on: bool) -> None:
    """Let orphaned descendants of this process become its children, or no longer."""
    prctl(PR_SET_CHILD_SUBREAPER, int(on))


def drop_capabilities() -> None:
    """Give up every capability, also those that executing a program could bring back."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # beyond the kernel's last one, or not ours to drop: the set below is emptied all the same
            break
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    syscall(_CAPSET[ARCHITECTURE], ctypes.addressof(header), ctypes.addressof(sets))
