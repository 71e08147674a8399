# include: honest
# include: tally
# include: canary
import ctypes
import os


def libc_environment():
    environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    found, k = [], 0
    while environ[k]:
        found.append(environ[k])
        k += 1
    return canaries(b"\n".join(found))


tally.attempt("os")(lambda: canaries(repr(os.environ)))
tally.attempt("libc")(libc_environment)
tally.attempt("proc")(lambda: canaries(read("/proc/self/environ")))
tally.attempt("names")(lambda: [n for n in os.environ if "SECRET" in n or "SSH" in n or "DBUS" in n or "TOKEN" in n])
tally.attempt("argv")(lambda: canaries(read("/proc/self/cmdline")))
tally.report()
