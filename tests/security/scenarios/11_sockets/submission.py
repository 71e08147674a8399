# include: honest
# include: tally
import socket

FAMILIES = {
    "inet": (2, 1, 0), "udp": (2, 2, 0), "inet6": (10, 1, 0), "udp6": (10, 2, 0), "raw": (2, 3, 1), "packet": (17, 3, 0),
    "netlink": (16, 3, 0), "vsock": (40, 1, 0), "alg": (38, 5, 0), "bluetooth": (31, 1, 3), "can": (29, 3, 1),
    "xdp": (44, 3, 0), "tipc": (30, 5, 0), "rds": (21, 5, 0), "sctp": (2, 1, 132), "mptcp": (2, 1, 262), "ping": (2, 2, 1),
    "key": (15, 3, 2), "qipcrtr": (42, 2, 0), "smc": (43, 1, 0), "kcm": (41, 2, 0),
}  # fmt: skip


for name, numbers in FAMILIES.items():
    tally.attempt(name)(lambda: socket.socket(*numbers))


tally.report()
