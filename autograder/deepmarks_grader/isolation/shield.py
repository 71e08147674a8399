"""What the grader does to itself while student code runs: out of reach of its own user, and father of all orphans."""

from __future__ import annotations

import os

from deepmarks_grader.isolation import linux, processes

_open_shields = 0
_was_subreaper = False
_zygotes: set[int] = set()


class Shield:
    """Guards this process from construction to `close`.

    It stays closed to debuggers for the rest of its life, since the secrets that it has read stay in its memory.
    Orphans are collected only while a shield is up: a program that grades has children of its own as well.
    """

    def __init__(self) -> None:
        global _open_shields, _was_subreaper
        self._up = linux.LINUX
        self._zygote = 0
        self._children_before = frozenset(processes.children(os.getpid())) if self._up else frozenset()
        if not self._up:
            return
        linux.set_dumpable(False)
        if not _open_shields:
            _was_subreaper = linux.is_subreaper()
            linux.set_subreaper(True)
        _open_shields += 1

    def zygote(self, pid: int) -> None:
        """Note the zygote that this shield goes with; it looks like a worker from outside."""
        self._zygote = pid
        _zygotes.add(pid)

    def close(self) -> None:
        """Kill what a zygote that died too early left behind, and let go of orphans."""
        global _open_shields
        if not self._up:
            return
        self._up = False
        _zygotes.discard(self._zygote)
        if self._strays():
            processes.kill_family(self._strays)
            processes.wait_until(lambda: not self._strays(), 5.0)
        _open_shields -= 1
        if not _open_shields:
            linux.set_subreaper(_was_subreaper)

    def _strays(self) -> list[int]:
        """Adopted children that live under a filter, as every worker does; the dead are collected."""
        found = [pid for pid in processes.children(os.getpid()) if pid not in self._children_before | _zygotes]
        strays = [pid for pid in found if processes.is_filtered(pid)]
        return [pid for pid in strays if not _collected(pid)]


def _collected(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
