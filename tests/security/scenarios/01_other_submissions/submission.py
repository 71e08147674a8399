# include: honest
# include: tally
# include: canary
import os

OTHER = "@OTHERS@/another-submission/results.json"

tally.attempt("read")(lambda: read(OTHER))
tally.attempt("write")(lambda: open(OTHER, "a"))
tally.attempt("unlink")(lambda: os.unlink(OTHER) or True)
tally.attempt("list")(lambda: os.listdir("@OTHERS@"))
tally.attempt("mkdir")(lambda: os.mkdir("@OTHERS@/@MARKER@") or True)
tally.report()
