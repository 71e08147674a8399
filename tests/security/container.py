"""A container as Docker makes them by default, around the scenarios' grader.

With runc it has Docker's capabilities, namespaces, masked paths and refused system calls, over this machine's own
file system. Where runc is missing or cannot run, namespaces with the same capabilities stand in.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

_CAPABILITIES = (
    "chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod "
    "audit_write setfcap"
).split()
"""What Docker gives to root in a container."""

_REFUSED = (
    "_sysctl acct add_key bpf clock_adjtime clock_settime create_module delete_module fanotify_init finit_module "
    "fsconfig fsmount fsopen fspick get_kernel_syms get_mempolicy init_module io_uring_enter io_uring_register "
    "io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind mount mount_setattr "
    "move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open pivot_root query_module quotactl "
    "reboot request_key set_mempolicy setns settimeofday swapoff swapon sysfs syslog umount2 unshare uselib "
    "userfaultfd ustat vhangup"
).split()
"""System calls that Docker's default profile keeps from a container with these capabilities; it says EPERM."""

_NEW_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
"""Flags of clone() that make a namespace, refused likewise."""
_EPERM, _ENOSYS = 1, 38


def in_container(arguments: Sequence[str], environment: Mapping[str, str], cwd: Path, folder: Path) -> list[str]:
    """The command line that runs `arguments` in a container; `folder`, which need not exist, holds what it takes."""
    if not _runc_works():
        return [*_namespaces(), *arguments]
    return _with_runc(arguments, environment, cwd, folder)


def unavailable() -> str | None:
    """Why this machine has no containers; None if it has."""
    if _runc_works():
        return None
    probe = subprocess.run([*_namespaces(), "true"], capture_output=True, check=False)
    if probe.returncode == 0:
        return None
    return f"namespaces cannot be made: {probe.stderr.decode(errors='replace').strip()}"


@cache
def _runc_works() -> bool:
    if shutil.which("runc") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        command = _with_runc(["/bin/true"], {"PATH": "/usr/bin:/bin"}, Path("/"), Path(folder) / "probe")
        return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0


def _with_runc(arguments: Sequence[str], environment: Mapping[str, str], cwd: Path, folder: Path) -> list[str]:
    root = folder / "root"
    root.mkdir(parents=True)
    subprocess.run(["runc", "spec"], cwd=folder, check=True, capture_output=True)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["root"] = {"path": str(root), "readonly": False}
    config["process"] |= {
        "terminal": False,
        "noNewPrivileges": False,
        "args": list(arguments),
        "env": [f"{name}={value}" for name, value in environment.items()],
        "cwd": str(cwd),
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), _names()),
        "rlimits": [],
    }
    # The machine's own, so that what a submission leaves there is seen.
    shared = {"destination": "/dev/shm", "type": "bind", "source": "/dev/shm", "options": ["rbind", "rw"]}
    config["mounts"] = [shared if m["destination"] == "/dev/shm" else m for m in config["mounts"]]
    config["linux"]["seccomp"] = _profile()
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    name = f"deepmarks-{folder.name}-{folder.parent.name}"
    run = ["runc", "--root", str(folder / "state"), "run", "--bundle", str(folder), name]
    # runc wants the root of the container to be a mount of its own.
    script = f"mount --rbind / {shlex.quote(str(root))} && exec {shlex.join(run)}"
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]


def _profile() -> dict[str, Any]:
    refused: dict[str, Any] = {"action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM}
    rules = [{"names": _REFUSED, **refused}, {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS}]
    for flag in _NEW_NAMESPACES:
        argument = {"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}
        rules.append({"names": ["clone"], "args": [argument], **refused})
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules}


def _names() -> list[str]:
    return [f"CAP_{name.upper()}" for name in _CAPABILITIES]


def _namespaces() -> list[str]:
    capabilities = "-all," + ",".join(f"+{name}" for name in _CAPABILITIES)
    return [
        "unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts", "--mount-proc",
        "setpriv", f"--bounding-set={capabilities}", "--inh-caps=-all",
    ]  # fmt: skip
