# include: honest
# include: tally
import os
import sys


def writable(path):
    return os.open(path, os.O_WRONLY | os.O_APPEND)


import deepmarks

tally.attempt("wire")(lambda: writable(os.path.join(os.path.dirname(deepmarks.__file__), "wire.py")))
tally.attempt("torch")(lambda: writable(torch.__file__))
tally.attempt("python")(lambda: writable(sys.executable))
tally.attempt("stdlib")(lambda: writable(os.__file__))
tally.attempt("folder")(lambda: os.mkdir(os.path.join(os.path.dirname(torch.__file__), "@MARKER@")) or True)
tally.attempt("passwd")(lambda: writable("/etc/passwd"))
tally.attempt("sys")(lambda: writable("/proc/sys/kernel/core_pattern"))
tally.attempt("oom")(lambda: writable(f"/proc/{os.getppid()}/oom_score_adj"))
tally.report()
