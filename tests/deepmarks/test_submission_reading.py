"""What read_submission makes of notebooks, percent scripts and plain scripts."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import traceback
from typing import Any

import pytest

from deepmarks.submission import Kind, Submission, append, compile_unit, definitions, read_submission


def code(source: object, **metadata: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": 1}


def notebook(*cells: Any) -> bytes:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def sources(submission: Submission) -> list[str]:
    return [unit.source for unit in submission.units if unit.error is None]


def script(text: str) -> Submission:
    return read_submission(text.encode(), "a.py")


def test_importing_the_room_loads_no_slow_package() -> None:
    command = "import deepmarks.submission, sys; print({'torch', 'nbformat', 'otter'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("name", "data", "cause"),
    [
        ("a.ipynb", b"", "The file is empty (0 bytes)."),
        ("a.py", b" \n\n", "The file is empty: it holds only blank lines."),
        (
            "a.ipynb",
            b'{"cells": [\n{"cell_type":\n "code", "sou',
            "The file ends in .ipynb but is not a notebook: its JSON breaks off at line 3.",
        ),
        (
            "a.ipynb",
            b'{"cells": [\n{]}\n]}',
            "The file ends in .ipynb but is not a notebook: its JSON is damaged at line 2.",
        ),
        (
            "a.ipynb",
            b"{}",
            "The file ends in .ipynb but is not a notebook: it is JSON without a list of cells.",
        ),
        (
            "a.ipynb",
            b"my dear grader, here is",
            "The file ends in .ipynb but is not a notebook: it is not JSON.",
        ),
        (
            "a.ipynb",
            b"<!DOCTYPE html>\n<html>",
            "The file ends in .ipynb but is not a notebook: it is a web page (HTML). Download the notebook itself.",
        ),
        (
            "a.ipynb",
            b'{"cells": [\n<<<<<<< HEAD\n]}',
            "The file ends in .ipynb but is not a notebook: it holds marks of an unresolved Git conflict in line 2.",
        ),
        (
            "a.py",
            b'{"cells": [\n',
            "The file is a notebook that cannot be read: its JSON breaks off at line 1.",
        ),
        ("a.py", b"%PDF-1.7", "The file is neither a notebook nor Python text: it looks like a PDF."),
        (
            "a.py",
            b"\0" * 9,
            "The file is neither a notebook nor Python text: it looks like nothing but NUL bytes.",
        ),
        (
            "a.ipynb",
            b'{"cells": ' + b"[" * 100_000,
            "The file ends in .ipynb but is not a notebook: its JSON is nested too deeply.",
        ),
    ],
)
def test_an_unreadable_file_has_a_cause(name: str, data: bytes, cause: str) -> None:
    submission = read_submission(data, name)
    assert submission.cause == cause
    assert submission.kind is Kind.UNREADABLE
    assert submission.digest == hashlib.sha256(data).hexdigest()


def test_notebook_cells_become_units_with_cell_numbers() -> None:
    data = notebook(
        code("import math\nx = 1; y = 2"),
        {"cell_type": "markdown", "source": "# x = 5"},
        code(["@property\n", "def f():\n", "    return x\n", "f2 = 3"]),
    )
    submission = read_submission(data, "a.ipynb")
    assert submission.kind is Kind.NOTEBOOK
    assert [(u.source, u.label, u.line, u.cell) for u in submission.units] == [
        ("import math", "cell 1", 1, 1),
        ("x = 1", "cell 1", 2, 1),
        ("y = 2", "cell 1", 2, 1),
        ("@property\ndef f():\n    return x", "cell 2", 1, 2),
        ("f2 = 3", "cell 2", 4, 2),
    ]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        7,
        [],
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": None},
        {"cell_type": "code", "source": 3},
        {"cell_type": "code", "source": ["a = 1\n", None]},
        {"cell_type": "code", "source": "", "metadata": []},
        {"cell_type": 5, "source": "x"},
        {"cell_type": "code", "source": "z = 1", "metadata": {"tags": "otter_ignore", "otter": 1}},
    ],
)
def test_a_malformed_cell_leaves_the_others(odd: object) -> None:
    submission = read_submission(notebook(code("x = 1"), odd, code("y = 2")), "a.ipynb")
    assert {"x = 1", "y = 2"} <= set(sources(submission))


def test_nbformat_3() -> None:
    cells = [{"cell_type": "heading", "source": "h"}, {"cell_type": "code", "input": ["x = 1\n", "y = 2"]}]
    data = json.dumps({"worksheets": [{"cells": cells}, None, {"cells": 3}], "nbformat": 3}).encode()
    assert sources(read_submission(data, "a.ipynb")) == ["x = 1", "y = 2"]


@pytest.mark.parametrize("metadata", [{"tags": ["a", "otter_ignore"]}, {"otter": {"ignore": True}}])
def test_ignored_cells_are_skipped_but_counted(metadata: dict[str, Any]) -> None:
    submission = read_submission(notebook(code("x = 1", **metadata), code("y = 2")), "a.ipynb")
    assert [(u.source, u.label) for u in submission.units] == [("y = 2", "cell 2")]
    assert submission.notices == ()


PERCENT = """# ---
# jupyter: {kernelspec: {name: python3}}
# ---
# %% [markdown]
# # Title
# %%
import math
# %% plot tags=["otter_ignore"]
draw()
#%% named cell

def f():
    \"\"\"
# %% no marker
    \"\"\"
    return math.missing
# %% [raw]
# raw
"""


def test_percent_scripts() -> None:
    submission = script(PERCENT)
    assert submission.kind is Kind.PERCENT
    assert [(u.label, u.line, u.filename) for u in submission.units] == [
        ("cell 1", 7, "submission.py"),
        ("cell 3", 12, "submission.py"),
    ]
    assert submission.notices == ()


def test_code_in_a_text_cell_is_announced() -> None:
    submission = script("# %% [markdown]\ndef f(): pass\n# %%\nx = 1\n")
    assert sources(submission) == ["x = 1"]
    assert submission.notices == ("The text cell at line 1 holds lines that are no comments; they were not read.",)


@pytest.mark.parametrize(
    ("name", "data", "kind", "notice"),
    [
        ("a.py", notebook(code("x = 1")), Kind.NOTEBOOK, "The file ends in .py but holds a notebook"),
        ("a.ipynb", b"x = 1\n", Kind.SCRIPT, "The file ends in .ipynb but holds Python text"),
        ("a.IPYNB", b"# %%\nx = 1\n", Kind.PERCENT, "The file ends in .ipynb but holds Python text"),
        ("noname", notebook(code("x = 1")), Kind.NOTEBOOK, ""),
    ],
)
def test_the_content_decides_the_kind(name: str, data: bytes, kind: Kind, notice: str) -> None:
    submission = read_submission(data, name)
    assert (submission.kind, sources(submission)) == (kind, ["x = 1"])
    assert any(text.startswith(notice) for text in submission.notices) or not notice


@pytest.mark.parametrize(
    ("data", "notice"),
    [
        ("s = 'é'".encode("utf-8-sig"), None),
        ("s = 'é'".encode("utf-16"), None),
        ("s = 'é'".encode("utf-32"), None),
        ("# -*- coding: latin-1 -*-\ns = 'é'".encode("latin-1"), None),
        (
            "# coding: utf-8\ns = 'é'".encode("cp1252"),
            "The file's first lines say that it is utf-8, which it is not.",
        ),
        ("s = 'é'".encode("cp1252"), "The file is not UTF-8; it was read as Windows-1252."),
        ("# \x81\ns = 'é'".encode("latin-1"), "The file is not UTF-8; it was read as Latin-1."),
        ("# coding: punycode\ns = 'é'".encode(), None),
        ("s =\0 'é'".encode(), "The file held NUL bytes"),
        ("\fs = 'é'\r".encode(), None),
        ("\r\n\rs = 'é'\r\n".encode(), None),
    ],
)
def test_encodings(data: bytes, notice: str | None) -> None:
    submission = read_submission(data, "a.py")
    assert [eval(source.split("=")[1]) for source in sources(submission)] == ["é"]
    if notice is None:
        assert submission.notices == ()
    else:
        assert submission.notices[0].startswith(notice)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_numbers_in_tracebacks_are_the_students(newline: str) -> None:
    text = newline.join(["x = 1", "", "", "@staticmethod", "def f():", "    a = 1", "    return 1 / 0"])
    for submission, filename in (
        (script(text), "submission.py"),
        (read_submission(notebook(code(text)), "a.ipynb"), "<cell 1>"),
    ):
        names: dict[str, Any] = {}
        for unit in submission.units:
            exec(compile_unit(unit), names)
        with pytest.raises(ZeroDivisionError) as caught:
            names["f"]()
        frame = traceback.extract_tb(caught.value.__traceback__)[-1]
        assert (frame.filename, frame.lineno) == (filename, 7)


def test_future_annotations_hold_for_later_units_only() -> None:
    first = "def f(a: missing): pass"
    submission = read_submission(notebook(code("from __future__ import annotations"), code(first)), "a.ipynb")
    names: dict[str, Any] = {}
    for unit in submission.units:
        exec(compile_unit(unit), names)
    assert names["f"].__annotations__ == {"a": "missing"}
    with pytest.raises(NameError):
        exec(compile_unit(script(first).units[0]), {})


def test_definitions_keep_the_last_one() -> None:
    submission = script(
        "import os.path as p, sys\n(a, *b), c[0] = 1, 2\nx: int\ny: int = 3\n"
        "def f(): inner = 1\ndef f(): return [z for z in b]\n"
        "try:\n    from fast import g\nexcept ImportError:\n    def g(): pass\nwith w as v: (u := 1)\n"
    )
    found = definitions(submission)
    assert set(found) == {"p", "sys", "a", "b", "y", "f", "g", "v", "u"}
    assert found["f"] == "def f(): return [z for z in b]"
    assert found["g"].startswith("try:")


def test_append_adds_units() -> None:
    base = script("def f(): return 1\n")
    both = append(base, "def f():\n    return 2\n\nbroken(", "mutant q1")
    assert [(u.label, u.line, u.filename) for u in both.units[1:]] == [
        ("mutant q1", 1, "<mutant q1>"),
        ("mutant q1", 4, "<mutant q1>"),
    ]
    assert definitions(both)["f"] == "def f():\n    return 2"
    assert both.units[-1].error == "mutant q1 has a syntax error in line 4: '(' was never closed"
    assert both.digest == base.digest


def test_too_much_code_is_refused() -> None:
    assert script("x = 1\n" * 400_000).cause == "The file holds more than 524,288 characters of code."


def test_large_outputs_are_not_kept_and_names_are_printable() -> None:
    cell = code("x = 1")
    cell["outputs"] = [{"data": {"image/png": "A" * 5_000_000}}]
    submission = read_submission(notebook(cell), "a\x1b[2J\n.ipynb")
    assert sources(submission) == ["x = 1"]
    assert submission.name == "a?[2J?.ipynb"
