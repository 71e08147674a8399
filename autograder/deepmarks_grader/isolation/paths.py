"""Which files honest code needs to read: the system's libraries, Python, and this package's student side."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import deepmarks

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_ETC = (
    "alternatives",
    "fonts",
    "group",
    "host.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "passwd",
    "python3",
    f"python3.{sys.version_info.minor}",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
KERNEL = ("/proc", "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
SHARED_MEMORY = "/dev/shm"
_CUDA_READ = ("/sys", "/etc/OpenCL", "/etc/vulkan", "/dev/nvidia-caps")


def cuda_devices() -> list[str]:
    """The device files of NVIDIA's driver."""
    return [str(path) for path in sorted(Path("/dev").glob("nvidia*"))]


def readable(*, cuda: bool = False) -> tuple[str, ...]:
    """Everything that a worker may read and execute. Whether a secret lies there, the self-check finds out."""
    etc = [f"/etc/{name}" for name in _ETC]
    found = [*SYSTEM, *etc, *KERNEL, *_python_paths(), *(_CUDA_READ if cuda else ())]
    return tuple(path for path in dict.fromkeys(found) if os.path.exists(path))


def must_read() -> list[str]:
    """A few files without which no worker can import anything."""
    own = Path(deepmarks.__file__)
    return [sys.executable, os.path.dirname(os.__file__), sysconfig.get_path("purelib"), str(own)]


def _python_paths() -> list[str]:
    """The interpreter, its libraries and the packages that it would find."""
    roots = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    roots += [os.path.dirname(os.path.realpath(sys.executable)), *sysconfig.get_paths().values()]
    packages = [path for path in sys.path if path and os.path.basename(path) in ("site-packages", "dist-packages")]
    return [*roots, *packages, *deepmarks.__path__]
