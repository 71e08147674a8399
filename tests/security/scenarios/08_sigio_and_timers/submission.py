# include: honest
# include: tally
# include: processes
import fcntl
import signal


def owned(pid):
    inlet, outlet = os.pipe()
    fcntl.fcntl(inlet, fcntl.F_SETOWN, pid)
    fcntl.fcntl(inlet, 10, signal.SIGUSR1)  # F_SETSIG
    fcntl.fcntl(inlet, fcntl.F_SETFL, fcntl.fcntl(inlet, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    os.write(outlet, b"x")


for pid in ancestors():
    tally.attempt("setown")(lambda: owned(pid))  # the grader says whether a signal came
    tally.attempt("setown-group")(lambda: owned(-os.getpgid(pid)))


tally.report()
