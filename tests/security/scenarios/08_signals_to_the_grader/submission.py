# include: honest
# include: tally
# include: processes
import signal

TGKILL, QUEUE, PIDFD_OPEN, PIDFD_SIGNAL = (
    (234, 129, 434, 424) if os.uname().machine == "x86_64" else (131, 138, 434, 424)
)

for pid in ancestors():
    for number in (0, signal.SIGUSR1, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
        tally.attempt(f"kill:{number}")(lambda: os.kill(pid, number) or True)
    tally.attempt("tgkill")(lambda: syscall(TGKILL, pid, pid, 10) >= 0)
    tally.attempt("queue")(lambda: syscall(QUEUE, pid, 10, ctypes.create_string_buffer(128)) >= 0)
    tally.attempt("pidfd")(lambda: syscall(PIDFD_SIGNAL, syscall(PIDFD_OPEN, pid, 0), 10, 0, 0) >= 0)
    tally.attempt("killpg")(lambda: os.killpg(os.getpgid(pid), signal.SIGUSR1) or True)


tally.report()
