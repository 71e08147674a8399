# include: honest
# include: tally
# include: processes
import signal

tally.attempt("stop")(lambda: os.kill(os.getppid(), signal.SIGSTOP) or True)
tally.attempt("tty-stop")(lambda: os.kill(os.getppid(), signal.SIGTSTP) or True)
tally.attempt("freeze")(lambda: open("/sys/fs/cgroup/cgroup.freeze", "w"))
tally.report()
