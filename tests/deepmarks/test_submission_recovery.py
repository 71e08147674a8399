"""What survives when a part of a submission is not Python, and what is left out on purpose."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from deepmarks.submission import Submission, compile_unit, limits, read_submission

GOOD = "def good():\n    return 1"
AFTER = "def after():\n    return 2"


def script(text: str) -> Submission:
    return read_submission(text.encode(), "a.py")


def cells(*sources: str) -> Submission:
    data = {"cells": [{"cell_type": "code", "source": source} for source in sources]}
    return read_submission(json.dumps(data).encode(), "a.ipynb")


def good(submission: Submission) -> list[str]:
    return [unit.source for unit in submission.units if unit.error is None]


BROKEN = {
    "missing expression": "def bad():\n    return (1 +\n",
    "invalid name": "1x = 3\n",
    "open bracket": "bad = foo(1, 2\n",
    "open brackets": "bad = [[(\n\n",
    "open docstring": 'def bad():\n    """Text\n    return 1\n',
    "open string": "bad = 'text\n",
    "stray bracket": ")\n",
    "stray else": "else:\n    x = 1\n",
    "stray except": "except ValueError:\n    pass\n",
    "tabs and spaces": "def bad():\n\tif x:\n        y\n\tz\n",
    "empty body": "def bad():\n\n",
    "open decorator": "@bad(\n",
    "curly quotes": "bad = “text”\n",
    "non-breaking space": "bad\u00a0= 1\n",
    "prose": "Here is my answer, dear grader.\n",
    "return outside": "return 5\n",
    "python 2": "print 'hello'\n",
    "git conflict": "<<<<<<< HEAD\n",
    "docstring with text in column 0": 'def bad():\n    """\nText in column 0\n    """\n    x = = 1\n',
    "try without except": "try:\n    x = 1\n",
}


@pytest.mark.parametrize("kind", ["script", "notebook"])
@pytest.mark.parametrize("name", BROKEN)
def test_good_functions_around_a_broken_part_survive(name: str, kind: str) -> None:
    text = f"{GOOD}\n\n{BROKEN[name]}\n\n{AFTER}\n"
    submission = script(text) if kind == "script" else cells(text)
    survivors = good(submission)
    assert survivors[0] == GOOD
    assert survivors[-1] == AFTER
    errors = [unit for unit in submission.units if unit.error is not None]
    place = "the file" if kind == "script" else "cell 1"
    assert errors
    assert all(unit.error and unit.error.startswith(f"{place} has a syntax error in line ") for unit in errors)
    with pytest.raises(SyntaxError):
        compile_unit(errors[0])


@pytest.mark.parametrize(
    "whole",
    [
        "if x:\n    a = 1\n# comment\nelif y:\n    a = 2\nelse:\n    a = 3",
        "try:\n    a = 1\nexcept ValueError:\n    a = 2\nfinally:\n    a = 3",
        "@first\n@second(\n1)\n\nclass A:\n    x = 1",
        "data = [\n1,\n2,\n]",
        'text = """\ndef no(): pass\n%matplotlib inline\n"""',
        "total = 1 + \\\n2",
        "def long():\n    pass\n# left margin\n    return 1",
    ],
)
def test_statements_of_several_blocks_stay_whole_beside_an_error(whole: str) -> None:
    assert good(script(f"a b\n{whole}\n{AFTER}\n")) == [whole, AFTER]


def test_error_lines_count_from_the_start_of_the_cell() -> None:
    submission = cells("x = 1", "y = 2", f"{GOOD}\n\nz = = 1\n")
    assert submission.units[-1].error == "cell 3 has a syntax error in line 4: invalid syntax"


def test_characters_of_word_processors_are_named() -> None:
    submission = script("x = “a”\ngood = 1\ny\u00a0= 1\ngood = 2\nz = 3 − 2\n")
    wanted = ["line 1 holds a curly quote", "line 3 holds a non-breaking space", "line 5 holds a long dash"]
    assert all(text in notice for text, notice in zip(wanted, submission.notices, strict=True))


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("%matplotlib inline", []),
        ("!pip install \\\n   torch", []),
        ("!echo \"it's", []),
        ("files = !ls", []),
        ("t = %timeit -o f()", []),
        ("?len", []),
        ("len?", []),
        ("torch.nn.Linear??", []),
        ("pip install torch", []),
        ("get_ipython().run_line_magic('matplotlib', 'inline')", []),
        ("shell = get_ipython()", []),
        ("if x:\n    %time f()", ["if x:\n    pass"]),
        ("a = 5 \\\n  % 3", ["a = 5 \\\n  % 3"]),
        ("a = (5\n% 3)", ["a = (5\n% 3)"]),
    ],
)
@pytest.mark.parametrize("read", [script, cells])
def test_what_only_ipython_understands_is_left_out_with_a_notice(
    read: Callable[[str], Submission], line: str, left: list[str]
) -> None:
    submission = read(f"{GOOD}\n{line}\n{AFTER}\n")
    assert [unit.error for unit in submission.units if unit.error] == []
    assert good(submission) == [GOOD, *left, AFTER]
    dropped = not left or "%time" in line
    assert len(submission.notices) == dropped
    assert not dropped or "is for Jupyter only; it was left out." in submission.notices[0]


@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("%%time\nx = 1", ["x = 1"]),
        ("\n%%capture out\nx = 1", ["x = 1"]),
        ("%%timeit -n 3\nx = 1", ["x = 1"]),
        ("%%bash\nx = 1", []),
        ("%%writefile a.py\nx = 1", []),
        ("    x = 1\n    y = 2", ["x = 1", "y = 2"]),
    ],
)
def test_cell_magics(cell: str, left: list[str]) -> None:
    submission = cells(cell)
    assert good(submission) == left == [unit.source for unit in submission.units]
    assert any("%%" in notice for notice in submission.notices) == ("%%" in cell)


SCAFFOLD = """import otter
from otter import Notebook
from otter.api import x
grader = otter.Notebook("a1.ipynb")
grader.check("q1")
grader.check_all()
grader
import deepmarks
if __name__ == "__main__":
    train()
if "__main__" == __name__: train()
"""


def test_scaffolding_is_dropped_silently() -> None:
    submission = script(SCAFFOLD)
    assert good(submission) == ["import deepmarks"]
    assert submission.notices == ()


LARGEST = limits.CODE_CHARS - 10
LARGE = {
    "valid": "def f(x):\n    return x + 1\n",
    "unclosed brackets": "x = (\n",
    "unclosed strings": 'x = """a\ny = 1\n',
    "junk": "a b\n",
    "magics": "%x\n",
    "decorators": "@a\n",
    "backslashes": "\\\n",
    "one dotted name": "import a" + ".a" * (LARGEST // 2) + "#",
    "nesting": "(" * LARGEST,
    "statements in one line": "a=1;",
    "stray branches": "else:\n",
    "quotes": '"""a',
}


@pytest.mark.parametrize("name", LARGE)
def test_half_a_megabyte_takes_linear_time(name: str) -> None:
    pattern = LARGE[name]
    text = (pattern * (LARGEST // len(pattern) + 1))[:LARGEST] + "\na b\n"
    start = time.process_time()
    submission = script(text)
    assert time.process_time() - start < 10  # quadratic behaviour takes minutes
    assert any(unit.error for unit in submission.units)
