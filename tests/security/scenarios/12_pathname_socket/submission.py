# include: honest
# include: tally
import socket


def connect(path):
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(0.5)
    made.connect(path)
    return made


tally.attempt("open")(lambda: connect("@SOCKET@"))
tally.report()
