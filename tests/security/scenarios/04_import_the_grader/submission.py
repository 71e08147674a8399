# include: honest
# include: tally
# include: canary
import importlib.util


def load_bundle():
    from pathlib import Path

    from deepmarks_grader.bundle import Bundle

    bundle = Bundle.load(Path("@BUNDLE@"))
    return bundle.solution


def load_check():
    spec = importlib.util.spec_from_file_location("hidden", "@BUNDLE@/checks/hidden/test_q1.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dir(module)


def secret():
    import os

    from deepmarks_grader.bundle import SECRET_VARIABLE

    return os.environ.get(SECRET_VARIABLE)


tally.attempt("bundle")(load_bundle)
tally.attempt("check")(load_check)
tally.attempt("secret")(secret)
tally.report()
