# include: honest
# include: tally
import os


def forge(path):
    with open(path, "w") as file:
        file.write('{"score": 100}')
    return True


tally.attempt("write")(lambda: forge("@RESULTS@/results.json"))
tally.attempt("symlink")(lambda: os.symlink("/dev/null", "@RESULTS@/results.json") or True)
tally.attempt("mkdir")(lambda: os.mkdir("@RESULTS@/results.json") or True)
tally.attempt("replace")(
    lambda: forge("@MARKER@.json") and os.replace("@MARKER@.json", "@RESULTS@/results.json") is None
)
tally.attempt("rmdir")(lambda: os.rmdir("@RESULTS@") or True)
tally.attempt("rename")(lambda: os.rename("@RESULTS@", "@RESULTS@-moved") or True)
tally.attempt("bundle")(lambda: open("@BUNDLE@/checks/public/test_q1.py", "r+"))
tally.attempt("truncate")(lambda: os.truncate("@BUNDLE@/answers.txt", 0) or True)
# Changes of metadata may seem to go well: the test compares them afterwards.
tally.attempt("chmod")(lambda: os.chmod("@BUNDLE@/answers.txt", 0o777))
tally.attempt("utime")(lambda: os.utime("@BUNDLE@/answers.txt"))
tally.attempt("xattr")(lambda: os.setxattr("@BUNDLE@/answers.txt", "user.@MARKER@", b"1"))
tally.attempt("found")(lambda: os.listxattr("@BUNDLE@/answers.txt"))
tally.report()
