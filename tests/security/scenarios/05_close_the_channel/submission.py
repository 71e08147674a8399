# include: honest
import os
import socket


def double(x):
    match "@VARIANT@":
        case "close":
            os.close(3)
        case "null":
            os.dup2(os.open(os.devnull, os.O_RDWR), 3)
        case "write":
            socket.socket(fileno=3).shutdown(socket.SHUT_WR)
        case "read":
            socket.socket(fileno=3).shutdown(socket.SHUT_RD)
        case "swap":
            pair = socket.socketpair()
            os.dup2(pair[0].fileno(), 3)
    return 2 * x
