# include: honest
# include: tally
# include: canary
# include: processes
def _canaries_of(pid):
    try:
        return canaries(read(f"/proc/{pid}/cmdline"))
    except OSError:
        return []


tally.attempt("secret")(lambda: [c for pid in others() for c in _canaries_of(pid)])
tally.attempt("readable")(lambda: b"zygote" in read(f"/proc/{os.getppid()}/cmdline"))
tally.report()
