"""Attacks that a confined worker makes on its own grader, to see whether the layers hold.

A kernel or container may accept a call that sets a limit and then not keep to it. So each layer is judged by what
a worker can do, and a layer that lets its attack through counts as off.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import socket
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deepmarks_grader.isolation import linux

_CANARY = b"deepmarks canary"
_PTRACE = {"x86_64": 101, "aarch64": 117}
_UNSHARE = {"x86_64": 272, "aarch64": 97}
_IO_URING_SETUP = 425
_PTRACE_SEIZE = 0x4206
_NEW_USER = 0x10000000


@dataclass(frozen=True, slots=True)
class Targets:
    """What the self-check attacks."""

    closed: str
    """A canary file in a directory that is closed to others."""
    open: str
    """A canary file in a directory that everybody may read, as most checkouts are."""
    public: str
    """A directory where everybody may write."""
    socket: str
    """The name of an abstract socket that the grader listens on."""
    grader: int
    """The grader's process number; 0 if it cannot be seen from inside."""
    secrets: tuple[str, ...]
    """The files and directories that must stay hidden."""

    def to_data(self) -> dict[str, Any]:
        """The targets as a JSON object."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Targets:
        """The inverse of `to_data`."""
        return cls(**{**data, "secrets": tuple(data["secrets"])})


class Bait:
    """The canaries in `root`, and the socket, while a self-check runs."""

    def __init__(self, root: Path, hidden: Sequence[Path], grader: int) -> None:
        closed, readable, public = (root / name for name in ("closed", "open", "public"))
        for folder, mode in ((closed, 0o700), (readable, 0o755), (public, 0o1777)):
            folder.mkdir(mode=0o700)
            (folder / "canary").write_bytes(_CANARY)
            (folder / "canary").chmod(0o644)
            folder.chmod(mode)
        name = f"deepmarks-{secrets.token_hex(8)}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"\0{name}")
        self._listener.listen(1)
        self.targets = Targets(
            str(closed / "canary"),
            str(readable / "canary"),
            str(public),
            name,
            grader,
            tuple(str(path) for path in hidden),
        )

    def close(self) -> None:
        """Take the bait in."""
        self._listener.close()


def attack(targets: Targets, *, uid: int | None) -> dict[str, str]:
    """Try every attack from inside a confined worker; returns those that got through, with what they reached."""
    through: dict[str, str] = {}
    for name, tried in _attacks(targets, uid).items():
        try:
            reached = tried()
        except OSError:
            continue
        if reached:
            through[name] = str(reached)
    return through


def _attacks(targets: Targets, uid: int | None) -> dict[str, Callable[[], object]]:
    victims = [pid for pid in (targets.grader, os.getppid()) if pid]
    attacks: dict[str, Callable[[], object]] = {
        "closed file": lambda: _read(targets.closed),
        "open file": lambda: _read(targets.open),
        "secrets": lambda: next(filter(None, map(_reach, targets.secrets)), ""),
        "write outside": lambda: _create(os.path.join(targets.public, "written")),
        "write beside": lambda: _create(os.path.join(os.path.dirname(targets.closed), "written")),
        "write packages": lambda: _write(_some_package_file()),
        "abstract socket": lambda: _connect(targets.socket),
        "setresuid": lambda: uid is not None and _become_root(),
        "capabilities": _capabilities,
        "no_new_privs": lambda: _status("NoNewPrivs") == "0" and "not set",
        "network": lambda: _network(),
        "namespaces": lambda: linux.syscall(_UNSHARE[linux.ARCHITECTURE], _NEW_USER) or "a user namespace",
        "io_uring": lambda: linux.syscall(_IO_URING_SETUP, 1, _zeros()) and "a ring",
    }
    for pid in victims:
        attacks |= {
            f"memory of {pid}": lambda pid=pid: _opened(f"/proc/{pid}/mem"),  # type: ignore[misc]
            f"environment of {pid}": lambda pid=pid: _opened(f"/proc/{pid}/environ"),  # type: ignore[misc]
            f"descriptors of {pid}": lambda pid=pid: _descriptors(pid),  # type: ignore[misc]
            f"signal to {pid}": lambda pid=pid: _signal(pid),  # type: ignore[misc]
            f"ptrace of {pid}": lambda pid=pid: _trace(pid),  # type: ignore[misc]
            f"limits of {pid}": lambda pid=pid: _prlimit(pid),  # type: ignore[misc]
        }
    return attacks


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return path if _CANARY in file.read(100) else ""


def _reach(path: str) -> str:
    """`path`, if it can be opened."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return ""
    return path


def _opened(path: str) -> str:
    os.close(os.open(path, os.O_RDONLY))
    return path


def _descriptors(pid: int) -> str:
    """Their numbers can be listed by a root without capabilities; what they stand for must not come out."""
    folder = f"/proc/{pid}/fd"
    return next((f"{folder}/{name}: {os.readlink(f'{folder}/{name}')}" for name in os.listdir(folder)), "")


def _create(path: str) -> str:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    return path


def _write(path: str) -> str:
    os.close(os.open(path, os.O_WRONLY))
    return path


def _some_package_file() -> str:
    library = sysconfig.get_path("purelib")
    return next(entry.path for entry in os.scandir(library) if entry.is_file())


def _connect(name: str) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(0.1)
        client.connect(f"\0{name}")
    return name


def _network() -> str:
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(family, kind).close()
            except OSError:
                continue
            return f"{family.name} {kind.name}"
    return ""


def _capabilities() -> str:
    held = int(_status("CapEff") or "0", 16) | int(_status("CapPrm") or "0", 16)
    return f"{held:#x}" if held else ""


def _status(field: str) -> str:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith(field + ":"):
                return line.split()[1]
    return ""


def _become_root() -> str:
    os.setresuid(0, 0, 0)
    return "became root"


def _signal(pid: int) -> str:
    os.kill(pid, 0)
    return "may signal it"


def _trace(pid: int) -> str:
    linux.syscall(_PTRACE[linux.ARCHITECTURE], _PTRACE_SEIZE, pid, 0, 0)
    return "attached"


def _prlimit(pid: int) -> str:
    import resource

    resource.prlimit(pid, resource.RLIMIT_NOFILE)
    return "may change them"


def _zeros() -> int:
    buffer = ctypes.create_string_buffer(256)
    _KEPT.append(buffer)
    return ctypes.addressof(buffer)


_KEPT: list[Any] = []
"""Buffers that a system call still looks at."""
