# include: honest
# include: tally
# include: processes
BIT = 0x40000000
tally.attempt("socket")(lambda: syscall(BIT | 41, 2, 1, 0) >= 0)
tally.attempt("ptrace")(lambda: syscall(BIT | 521, 0, 0, 0, 0) >= 0)
tally.attempt("unshare")(lambda: syscall(BIT | 272, 0x10000000) >= 0)
tally.report()
