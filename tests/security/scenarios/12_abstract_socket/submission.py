# include: honest
# include: tally
import socket


def connect(kind):
    made = socket.socket(socket.AF_UNIX, kind)
    made.settimeout(0.5)
    made.connect("\0@ABSTRACT@")
    return made


tally.attempt("stream")(lambda: connect(socket.SOCK_STREAM))
tally.attempt("all")(lambda: [line for line in open("/proc/net/unix") if False])
tally.report()
