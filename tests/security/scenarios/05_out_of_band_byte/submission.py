# include: honest
# include: frames
import socket

socket.socket(fileno=os.dup(3)).send(b"!", socket.MSG_OOB)
