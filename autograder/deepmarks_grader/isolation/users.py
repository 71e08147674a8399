"""A user of its own for each worker: one that nobody else is, owns nothing and belongs to no group."""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Iterable, Sequence
from functools import cache

from deepmarks_grader.isolation.linux import LINUX
from deepmarks_grader.isolation.processes import user_of

_PREFERRED = (range(1879048192, 1879048192 + (1 << 20)), range(100000, 165536), range(20000, 60000))
"""First a part that systemd's table of user ids leaves free; the others where a namespace maps fewer ids."""
_TRIES = 1000


class NoFreeUserError(RuntimeError):
    """The user namespace has no id to spare."""


@cache
def _mapped() -> tuple[range, ...]:
    """The ids that exist in this user namespace."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        rows = [line.split() for line in file]
    return tuple(range(int(first), int(first) + int(count)) for first, _, count in rows)


@cache
def _taken() -> frozenset[int]:
    """The ids of known users."""
    return frozenset(entry.pw_uid for entry in pwd.getpwall())


def choose() -> int:
    """A random id that is mapped here and that no known user or process has; NoFreeUserError if none is found."""
    busy = process_users()
    for wanted in _PREFERRED:
        for _ in range(_TRIES):
            uid = wanted[secrets.randbelow(len(wanted))]
            if not any(uid in mapped for mapped in _mapped()):
                break
            if uid not in _taken() and uid not in busy:
                return uid
    raise NoFreeUserError("this user namespace maps no id that is free")


def process_users() -> set[int | None]:
    """The real users of all running processes."""
    return {user_of(int(name)) for name in os.listdir("/proc") if name.isdigit()}


def switch(uid: int) -> None:
    """Become `uid`, of the group of the same number and no other, with no way back."""
    if not LINUX:
        raise OSError("only Linux workers change their user")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def try_switch(uid: int, must_read: Sequence[str]) -> str:
    """Why workers cannot be `uid`, tried out in a child; empty if they can.

    A Python below a closed home can be used by its owner only: `must_read` are files that the child has to open.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        problem = "the check of the user switch failed"
        try:
            problem = _trial(uid, must_read)
        finally:
            os.write(write, problem.encode()[:4096])
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        problem = answer.read().decode()
    os.waitpid(child, 0)
    return problem


def _trial(uid: int, must_read: Iterable[str]) -> str:
    try:
        switch(uid)
    except OSError as error:
        return f"cannot switch user ({error.strerror}): not root, or without CAP_SETUID and CAP_SETGID"
    for path in must_read:
        try:
            if os.path.isdir(path):
                os.listdir(path)
            else:
                os.close(os.open(path, os.O_RDONLY))
        except OSError as error:
            return f"a separate user cannot read {path} ({error.strerror}); install Python outside closed directories"
    return ""
