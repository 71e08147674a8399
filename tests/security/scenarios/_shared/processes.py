import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def syscall(number, *args):
    """The call's result; a negative errno if it failed."""
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in args))
    return -ctypes.get_errno() if result == -1 else result


def allowed(number, *args):
    """Whether the kernel ran the call at all: bad arguments and missing targets count as allowed."""
    return syscall(number, *args) not in (-1, -13, -38)  # EPERM, EACCES, ENOSYS


def ancestors():
    """The zygote and the grader: parent, grandparent, and what the grader is known to be."""
    return list(dict.fromkeys(pid for pid in (os.getppid(), int("@ZYGOTE@"), int("@GRADER@")) if pid > 1))


def others():
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
