"""Submissions that are not a plain script: zips, links, pipes, and files with misleading names."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

from .scenario import notebook

Builder = Callable[[Path, str, str, Path], Path]
"""(folder, source, variant, a file that the link should reach) -> the submission's path."""


def _plain(folder: Path, source: str, variant: str, target: Path) -> Path:
    path = folder / "submission.py"
    path.write_text(source, "utf-8", newline="")
    return path


def _named(folder: Path, source: str, variant: str, target: Path) -> Path:
    path = folder / variant
    path.write_text(source, "utf-8")
    return path


def _zip(folder: Path, entries: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    path = folder / "submission.zip"
    path.write_bytes(buffer.getvalue())
    return path


def _special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def _zip_names(folder: Path, source: str, variant: str, target: Path) -> Path:
    code = source.encode()
    evil = b"raise SystemExit('imported')\n"
    extra: list[tuple[str | zipfile.ZipInfo, bytes]] = {
        "dotdot": [("../../escaped.py", evil)],
        "absolute": [("/tmp/escaped.py", evil)],
        "backslash": [("..\\..\\escaped.py", evil)],
        "symlink": [(_special("link.py", stat.S_IFLNK | 0o777), str(target).encode())],
        "fifo": [(_special("pipe.py", stat.S_IFIFO | 0o644), b"")],
        "device": [(_special("device.py", stat.S_IFCHR | 0o644), b"")],
        "case": [("Submission.py", evil), ("SUBMISSION.PY", evil)],
        "otter": [
            (".OTTER_LOG", b"forged"),
            ("otter/__init__.py", evil),
            ("otter/check/__init__.py", evil),
            ("deepmarks/__init__.py", evil),
            ("conftest.py", evil),
            ("sitecustomize.py", evil),
            ("results.json", b'{"score": 100}'),
        ],
        "bomb": [("weights.pt", bytes(90 << 20)), ("more.pt", bytes(90 << 20)), ("yet_more.pt", bytes(90 << 20))],
        "many": [(f"notes/{k}.txt", b"") for k in range(1500)],
    }[variant]
    return _zip(folder, [("submission.py", code), *extra])


def _link(folder: Path, source: str, variant: str, target: Path) -> Path:
    path = folder / "submission.py"
    if variant == "fifo":
        os.mkfifo(path)
    elif variant == "directory":
        path.mkdir()
    elif variant == "device":
        path = Path("/dev/zero")
    else:
        path.symlink_to(target)
    return path


def _notebook_with_output(folder: Path, source: str, variant: str, target: Path) -> Path:
    size = {"fits": 50 << 20, "too-large": 100 << 20}[variant]
    output = {"output_type": "stream", "name": "stdout", "text": "x" * size}
    path = folder / "submission.ipynb"
    path.write_bytes(notebook(source, [output]))
    return path


def _hostile_source(folder: Path, source: str, variant: str, target: Path) -> Path:
    """Text that is hard to parse, behind the honest solution."""
    text = {
        "nesting": "x = " + "(" * 5000 + ")" * 5000,
        "lambdas": "x = " + "lambda: " * 20_000 + "0",
        "constants": "x = 9" + "9" * 200_000,
        "attributes": "x = a" + ".a" * 50_000,
        "null": "x = '\0'\n\0\0",
        "codec": "# -*- coding: unicode_escape -*-\nx = '\\x0a'",
        "format-string": "x = " + "f'{" * 200 + "}'" * 200,
        "elif": "if 0:\n    pass\n" + "elif 0:\n    pass\n" * 8000,
        "long-line": "x = [" + "1, " * 150_000 + "]",
        "future": "from __future__ import braces\nfrom __future__ import barry_as_FLUFL\n",
        "tabs": "".join(" " * k + "if 1:\n" for k in range(150)) + " " * 150 + "x = 1",
        "unfinished": 'x = """never closed\n' * 3,
        "comparisons": "x = 0" + " < 0" * 100_000,
        "finally": _nested_finally(18),
        "or-pattern": _or_pattern(2500),
        "question-mark": "a?" + " " * 400_000 + "x",
        "tags": "# %% " + "tags=[" * 80_000,
        "inner-nonlocal": "if 1:\n def f():\n  x = 0\n  def g():\n   nonlocal x\n  return g",
        "many-targets": " = ".join(f"a{i}" for i in range(3000)) + " = double = " + "+".join(["double"] * 300),
    }[variant]
    path = folder / "submission.py"
    path.write_text(f"{source}\n\n{text}\n", "utf-8", newline="")
    return path


def _nested_finally(depth: int) -> str:
    """A compiler copies what stands in `finally` for each way out of `try`: a power of the depth."""
    lines = ["def f():"]
    for level in range(depth):
        indent = "    " * (level + 1)
        lines += [f"{indent}try:", f"{indent}    if x: return 1", f"{indent}    if y: return 2", f"{indent}finally:"]
    return "\n".join([*lines, "    " * (depth + 1) + "pass"])


def _or_pattern(names: int) -> str:
    """The names of one alternative are put into the order of the other: quadratic memory."""
    forward = ", ".join(f"a{i}" for i in range(names))
    back = ", ".join(f"a{i}" for i in reversed(range(names)))
    return f"def f(x):\n    match x:\n        case [{forward}] | [{back}]:\n            return 1"


BUILDERS: dict[str, Builder] = {
    "plain": _plain,
    "named": _named,
    "zip": _zip_names,
    "link": _link,
    "source": _hostile_source,
    "notebook": _notebook_with_output,
}
