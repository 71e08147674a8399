# include: honest
# include: tally
# include: canary
import os

FILES = ["answers.txt", "solution.py", "checks/hidden/test_q1.py", "checks/hidden/test_q2.py"]


for name in FILES:
    tally.attempt(f"read:{name}")(lambda: canaries(read(f"@BUNDLE@/{name}")))


tally.attempt("list")(lambda: os.listdir("@BUNDLE@/checks/hidden"))
tally.attempt("cwd")(lambda: canaries(read("@STAGE@/cwd/solution.py")))
tally.attempt("o_path")(
    lambda: os.read(os.open("/proc/self/fd/%d" % os.open("@BUNDLE@/answers.txt", os.O_PATH), 0), 99)
)
tally.report()
