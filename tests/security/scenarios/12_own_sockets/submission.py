# include: honest
# include: tally
import socket


def bind(name):
    made = socket.socket(socket.AF_UNIX)
    made.bind(name)
    made.listen()
    return made


def connect(name):
    socket.socket(socket.AF_UNIX).connect(name)
    return True


for name in ("\0@MARKER@", "/tmp/@MARKER@.sock", "/dev/shm/@MARKER@.sock"):
    tally.attempt("found")(lambda: connect(name))


keep = []
for name in ("\0@MARKER@", "/tmp/@MARKER@.sock", "/dev/shm/@MARKER@.sock"):
    try:
        keep.append(bind(name))
    except OSError:
        pass


tally.report()
