# include: honest
# include: tally
# include: canary
import gc
import inspect
import sys


def heap():
    found = []
    for item in gc.get_objects():
        if type(item) is dict:
            found += [c for value in list(item.values()) if type(value) in (str, bytes) for c in canaries(value)]
    return found


def frames():
    found, frame = [], sys._getframe()
    while frame is not None:
        found += [name for name in frame.f_locals if name in ("reference", "expected", "grader", "secret")]
        found += canaries(repr({k: str(v)[:2000] for k, v in frame.f_locals.items()}))
        frame = frame.f_back
    return found


def modules():
    suspicious = ("deepmarks_grader.grading", "deepmarks_grader.bundle", "test_q1", "test_q2", "_pytest", "otter")
    return [name for name in sys.modules if name.startswith(suspicious)]


tally.attempt("heap")(heap)
tally.attempt("frames")(frames)
tally.attempt("modules")(modules)
tally.attempt("stack")(lambda: [f for f in inspect.stack() if "/hidden/" in f.filename or "/grading/" in f.filename])
tally.attempt("named")(lambda: [o for o in gc.get_objects() if type(o).__name__ in ("Bundle", "Grader", "Reference")])
tally.report()
