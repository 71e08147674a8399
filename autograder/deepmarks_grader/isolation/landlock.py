"""Landlock: from here on only the listed files can be opened, and no TCP port or outside process be reached.

The numbers are those of <linux/landlock.h>.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

from deepmarks_grader.isolation import linux

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1


class Access(IntFlag):
    """What may be done with a file or below a directory."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Access.EXECUTE | Access.READ_FILE | Access.READ_DIR
DEVICE = Access.READ_FILE | Access.WRITE_FILE | Access.TRUNCATE | Access.IOCTL_DEV
OWN = Access((1 << 16) - 1) & ~(Access.MAKE_CHAR | Access.MAKE_BLOCK | Access.IOCTL_DEV)
_ON_FILES = Access.EXECUTE | DEVICE
_NEWER = ((2, Access.REFER), (3, Access.TRUNCATE), (5, Access.IOCTL_DEV))
_TCP_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed at `path` and below."""

    path: str
    access: Access


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The kernel's Landlock ABI; OSError where there is none (ENOSYS: old kernel, EOPNOTSUPP: off at boot)."""
    return linux.syscall(_CREATE_RULESET, 0, 0, _VERSION_FLAG)


def restrict(rules: Sequence[Rule]) -> int:
    """Confine the calling thread to `rules`, for good; returns the ABI in force. It needs no_new_privs.

    Paths that do not exist or cannot be reached are left out: what is not allowed is forbidden.
    """
    abi = version()
    handled = Access((1 << 16) - 1)
    for since, access in _NEWER:
        if abi < since:
            handled &= ~access
    net = _TCP_BIND_AND_CONNECT if abi >= 4 else 0
    attributes = _Ruleset(handled, net, _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = linux.syscall(_CREATE_RULESET, ctypes.addressof(attributes), size, 0)
    try:
        for rule in rules:
            _allow(ruleset, rule, handled)
        linux.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def _allow(ruleset: int, rule: Rule, handled: Access) -> None:
    try:
        place = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        access = rule.access & handled
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _ON_FILES
        beneath = _Beneath(access, place)
        linux.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.addressof(beneath), 0)
    finally:
        os.close(place)
