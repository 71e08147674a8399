# include: honest
# include: tally
import os
import socket


def connect(path):
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(0.5)
    made.connect(path)
    return made


for path in ("/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/systemd/private"):
    tally.attempt(path)(lambda: connect(path))


tally.attempt("agent")(lambda: connect(os.environ["SSH_AUTH_SOCK"]))
tally.attempt("agent-path")(lambda: connect("@STAGE@/home/agent.sock"))
tally.attempt("dbus")(lambda: connect(os.environ["DBUS_SESSION_BUS_ADDRESS"]))
tally.report()
