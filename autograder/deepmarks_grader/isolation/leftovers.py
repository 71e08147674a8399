"""Removes what a submission wrote, whatever it did to make that hard. Links are never followed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection
from pathlib import Path

SHARED_MEMORY = "/dev/shm"
_PUBLIC = ("/tmp", "/var/tmp", SHARED_MEMORY, "/dev/mqueue", "/run/lock")
"""Where every user may write, unless Landlock forbids it."""


def close_to_others(folder: Path) -> None:
    """Let nobody but its owner into `folder`; nothing happens where it is not ours or does not exist."""
    with contextlib.suppress(OSError):
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) & 0o700)


def remove_tree(path: Path) -> None:
    """Remove a directory or file, with no limit on depth and whatever its permissions; nothing if it is not there.

    Directories inside are moved up before they are emptied, so no path ever grows long. Call it when no process that
    could interfere is alive. OSError if something cannot be removed.
    """
    try:
        top = _open(path, None)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        path.unlink()
        return
    try:
        moved = 0
        while names := os.listdir(top):
            for name in names:
                if _unlink(name, top):
                    continue
                moved = _hollow(name, top, moved)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path)


def _hollow(name: str, top: int, moved: int) -> int:
    """Empty the directory `name` in `top`: files are removed, directories moved to `top`. Returns how many, in all."""
    inner = _open(name, top)
    try:
        for entry in os.listdir(inner):
            if _unlink(entry, inner):
                continue
            os.close(_open(entry, inner))  # gives the owner the right to move it
            while True:
                moved += 1
                try:
                    os.rename(entry, f".moved-{moved}", src_dir_fd=inner, dst_dir_fd=top)
                    break
                except OSError:
                    if not _exists(f".moved-{moved}", top):
                        raise
    finally:
        os.close(inner)
    return moved


def _unlink(name: str, folder: int) -> bool:
    """Remove `name` if it is not a directory; whether it is gone."""
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return False
    os.unlink(name, dir_fd=folder)
    return True


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _open(path: Path | str, folder: int | None) -> int:
    """Open a directory, after giving its owner all rights to it if need be."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    info = os.stat(path, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(info.st_mode) and info.st_mode & 0o700 != 0o700:
        # Nobody else is alive in there, so it is still the directory that was looked at.
        os.chmod(path, 0o700, dir_fd=folder)
    return os.open(path, flags, dir_fd=folder)


def size(path: str, *, most_files: int) -> tuple[int, int]:
    """Bytes and number of files below a directory that may change meanwhile; counting ends above `most_files`.

    A nesting deeper than a hundred counts as too many files.
    """
    total, count = 0, 0
    stack: list[int] = []
    with contextlib.suppress(OSError):
        stack.append(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
    pending: list[list[str]] = [_names(descriptor) for descriptor in stack]
    try:
        while stack and count <= most_files:
            if not pending[-1]:
                pending.pop()
                os.close(stack.pop())
                continue
            name = pending[-1].pop()
            try:
                info = os.stat(name, dir_fd=stack[-1], follow_symlinks=False)
                count += 1
                total += info.st_blocks * 512
                if stat.S_ISDIR(info.st_mode):
                    if len(stack) >= 100:
                        return total, most_files + 1
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                    inner = os.open(name, flags, dir_fd=stack[-1])
                    stack.append(inner)
                    pending.append(_names(inner))
            except OSError:
                continue
    finally:
        for descriptor in stack:
            os.close(descriptor)
    return total, count


def shared_memory_names() -> frozenset[str]:
    """What lies in /dev/shm now."""
    try:
        return frozenset(os.listdir(SHARED_MEMORY))
    except OSError:
        return frozenset()


def empty(folder: str) -> None:
    """Remove everything in `folder`, which nobody else uses."""
    for name in _names(folder):
        with contextlib.suppress(OSError):
            remove_tree(Path(folder, name))


def remove_of_user(uid: int) -> None:
    """Remove what `uid`, which only one submission had, left in the directories that are open to all."""
    for folder in _PUBLIC:
        for name in _names(folder):
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                if path.lstat().st_uid == uid:
                    remove_tree(path)


def remove_new_shared_memory(before: Collection[str]) -> None:
    """Remove names in /dev/shm that are ours, are new since `before`, and that no process has open or mapped."""
    fresh = [name for name in shared_memory_names() if name not in before]
    own = [name for name in fresh if _owner(f"{SHARED_MEMORY}/{name}") == os.geteuid()]
    if not own:
        return
    used = _used_shared_memory()
    for name in own:
        if f"{SHARED_MEMORY}/{name}" not in used:
            with contextlib.suppress(OSError):
                remove_tree(Path(SHARED_MEMORY, name))


def _used_shared_memory() -> set[str]:
    found: set[str] = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
            found.update(line.rstrip("\n").split(None, 5)[-1] for line in maps if SHARED_MEMORY in line)
        for descriptor in _names(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.add(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
    return found


def _names(folder: str | int) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _owner(path: str) -> int | None:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None
