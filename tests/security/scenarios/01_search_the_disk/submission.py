# include: honest
# include: tally
# include: canary
import os
import time


def search():
    found, deadline = [], time.monotonic() + 1
    for root in ("@STAGE@", "/tmp", "/var/tmp", "/autograder", "/home", "/root", "/dev/shm", "/run"):
        for folder, _, names in os.walk(root):
            for name in names:
                if time.monotonic() > deadline:
                    return found
                try:
                    path = os.path.join(folder, name)
                    if os.path.isfile(path):
                        found += canaries(read(path, 1 << 16))
                except OSError:
                    continue
    return found


tally.attempt("walk")(search)
tally.report()
