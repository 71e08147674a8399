# include: honest
# include: tally
# include: processes
import fcntl
import pty

TIOCSTI, TIOCLINUX, TIOCSCTTY = 0x5412, 0x541C, 0x540E


def inject(fd):
    return fcntl.ioctl(fd, TIOCSTI, b"x") is not None


def own_terminal():
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, TIOCSCTTY, 0)
    return inject(terminal)


tally.attempt("own")(own_terminal)
tally.attempt("tty")(lambda: inject(os.open("/dev/tty", os.O_RDWR)))
tally.attempt("stdin")(lambda: inject(0))
tally.attempt("linux")(lambda: fcntl.ioctl(1, TIOCLINUX, b"\x03") is not None)
tally.attempt("high-bits")(lambda: syscall(16, 0, (1 << 32) | TIOCSTI, ctypes.create_string_buffer(b"x")) == 0)
tally.report()
