"""bubblewrap around the zygote of an ordinary user: what is hidden is not even there.

It gives the zygote namespaces of its own, with nothing mounted but what honest code needs: no other process, no
network, no sockets of the desktop or of Docker. Landlock and the filter go on top, inside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deepmarks_grader.isolation import paths

_TRIAL_SECONDS = 20.0
_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")


def command(root: Path, *, cuda: bool = False) -> list[str]:
    """The words to put before the zygote's command; two folders of `root` can be written from inside."""
    own = str(Path(__file__).resolve().parents[1])
    words = ["bwrap", "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    for path in (*paths.readable(cuda=cuda), own):
        if path in _LINKS and os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        elif path != "/proc":
            words += ["--ro-bind-try", path, path]
    for device in paths.cuda_devices() if cuda else []:
        words += ["--dev-bind-try", device, device]
    words += ["--ro-bind", str(root), str(root)]
    for name in ("work", "zygote"):
        words += ["--bind", str(root / name), str(root / name)]
    return [*words, "--chdir", "/", "--"]


def problem(root: Path, *, cuda: bool = False) -> str:
    """Why bubblewrap cannot be used here, in its own words; empty if a Python inside it can import the zygote."""
    if shutil.which("bwrap") is None:
        return "bwrap is not installed (Debian, Ubuntu: apt-get install bubblewrap)"
    trial = [*command(root, cuda=cuda), sys.executable, "-I", "-c", _TRIAL]
    try:
        done = subprocess.run(trial, capture_output=True, text=True, timeout=_TRIAL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return f"{said} (Ubuntu 23.10 and later: bwrap needs an AppArmor profile; inside a container it cannot work)"


_TRIAL = "import importlib.util as u; assert u.find_spec('deepmarks_grader') and u.find_spec('deepmarks')"


def run_prefix(root: Path, *, cuda: bool = False) -> tuple[Sequence[str], str]:
    """The words to put before the zygote's command, none if bubblewrap is of no use, and the reason then."""
    why_not = problem(root, cuda=cuda)
    return ([] if why_not else command(root, cuda=cuda)), why_not
