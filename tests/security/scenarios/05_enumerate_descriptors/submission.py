# include: honest
# include: tally
import os
import stat


def kinds():
    found = {}
    for fd in range(1024):
        try:
            found[fd] = os.fstat(fd).st_mode
        except OSError:
            continue
    return found


def contents():
    found = []
    for fd, mode in kinds().items():
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            found.append(fd)
    return found


tally.attempt("files")(contents)
tally.attempt("more")(lambda: [fd for fd in kinds() if fd > 3])
tally.attempt("control")(lambda: os.write(0, b"x"))
tally.report()
