# include: honest
# include: frames
import socket


def double(x):
    socket.socket(fileno=os.dup(3)).send(b"!", socket.MSG_OOB)
    raise ValueError("no")
