# include: honest
# include: tally
# include: canary
# include: processes
def peek(pid, name):
    data = read(f"/proc/{pid}/{name}")
    return canaries(data) or (name != "environ" and data)


for pid in ancestors():
    for name in ("environ", "maps", "auxv", "stack", "syscall", "pagemap", "smaps", "io"):
        tally.attempt(f"{name}:{'grader' if pid == int('@GRADER@') else 'zygote'}")(lambda: peek(pid, name))


tally.attempt("mem")(lambda: [open(f"/proc/{pid}/mem", "rb") for pid in ancestors()])
tally.attempt("mem-write")(lambda: [open(f"/proc/{pid}/mem", "r+b") for pid in ancestors()])


def _environ(pid):
    try:
        return canaries(read(f"/proc/{pid}/environ"))
    except OSError:
        return []


tally.attempt("environ-of-all")(lambda: [found for pid in others()[:200] for found in _environ(pid)])
tally.report()
