# include: honest
# include: tally
# include: canary
# include: processes
import os


def through(pid):
    found = []
    for path in (f"root@BUNDLE@/answers.txt", "cwd/solution.py", "cwd/../bundle/answers.txt"):
        try:
            found += canaries(read(f"/proc/{pid}/{path}"))
        except OSError:
            continue
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            if target.startswith("@STAGE@"):
                found += canaries(read(f"/proc/{pid}/fd/{fd}"))
    except OSError:
        pass
    return found


tally.attempt("ancestors")(lambda: [found for pid in ancestors() for found in through(pid)])
tally.attempt("all")(lambda: [found for pid in others()[:200] for found in through(pid)])
tally.report()
