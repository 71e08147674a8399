# include: honest
# include: tally
import os
import sys

PATHS = [
    "~/.bashrc", "~/.profile", "~/.config/matplotlib/matplotlibrc", "~/.cache/torch/hub/x.py", "~/.triton/cache/x",
    "~/.local/lib/python3.11/site-packages/usercustomize.py", "~/.keras/keras.json", "~/.pythonrc", "~/.condarc",
]  # fmt: skip


def write(path):
    path = os.path.expanduser(path)
    there = os.path.exists(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a") as file:
        file.write("# @MARKER@\n")
    return there


for path in PATHS:
    tally.attempt(path)(lambda: write(path))


packages = [p for p in sys.path if p.endswith("site-packages")]
tally.attempt("sitecustomize")(lambda: [open(os.path.join(p, "@MARKER@_sitecustomize.py"), "w") for p in packages])
tally.attempt("pycache")(lambda: open(os.path.join(os.path.dirname(os.__file__), "__pycache__", "@MARKER@.pyc"), "w"))
tally.attempt("bashrc")(lambda: open("@STAGE@/home/.bashrc", "a"))
tally.report()
