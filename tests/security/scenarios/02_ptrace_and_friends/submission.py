# include: honest
# include: tally
# include: processes
import ctypes
import platform

X86 = platform.machine() == "x86_64"
PTRACE, READV, WRITEV, KCMP = (101, 310, 311, 312) if X86 else (117, 270, 271, 272)
buffer = ctypes.create_string_buffer(64)


class IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def readv(pid, number):
    local = IoVec(ctypes.addressof(buffer), 8)
    remote = IoVec(id(tally), 8)  # the zygote has the same layout
    return syscall(number, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) > 0


for pid in ancestors():
    # PTRACE_SEIZE does not stop the target.
    tally.attempt("seize")(lambda: syscall(PTRACE, 0x4206, pid, 0, 0) >= 0)
    tally.attempt("readv")(lambda: readv(pid, READV))
    tally.attempt("writev")(lambda: readv(pid, WRITEV) if False else syscall(WRITEV, pid, 0, 0, 0, 0, 0) >= 0)
    tally.attempt("kcmp")(lambda: syscall(KCMP, os.getpid(), pid, 1, 0, 0) >= 0)
    tally.attempt("pidfd_getfd")(lambda: syscall(438, syscall(434, pid, 0), 0, 0) >= 0)
    tally.attempt("madvise")(lambda: syscall(440, syscall(434, pid, 0), 0, 0, 20, 0) >= 0)


tally.attempt("traceme")(lambda: syscall(PTRACE, 0, 0, 0, 0) >= 0)
tally.report()
