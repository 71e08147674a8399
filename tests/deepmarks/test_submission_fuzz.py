"""Any bytes give a submission; valid code keeps its meaning."""

from __future__ import annotations

import ast
import inspect
import json
import random
import textwrap
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepmarks.submission import (
    Kind,
    Submission,
    compile_unit,
    definitions,
    limits,
    read_path,
    read_submission,
)

SCRIPT = '''"""Doc."""
from __future__ import annotations
import math, os.path

@decorated
class Layer(object):
    """Text
with column 0
    """
    def forward(self, x: int = (1, [2])) -> "y":
        return {**x, "a": f"{x!r:>{3}}"} if x else \\
            None

# comment
try:
    a, (b, *c) = 1, (2, 3); d = """x
"""
except (ValueError, KeyError) as error:
    pass
else:
    e = [i for i in range(3)]
for f in c:
    if f: break
else:
    g = lambda: 0
%time h = 1
k = 'it''s' "fine"
'''
NOTEBOOK = json.dumps(
    {
        "cells": [{"cell_type": "code", "source": SCRIPT, "outputs": [{"text": "é"}]}],
        "metadata": {"kernelspec": {"name": "python3"}},
        "nbformat": 4,
    },
    indent=1,
).encode()
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check(submission: Submission) -> None:
    assert (submission.cause is None) == (submission.kind is not Kind.UNREADABLE)
    assert len(submission.digest) == 64
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for unit in submission.units:
            assert unit.source.strip()
            assert unit.line >= 1
            if unit.error is None:
                compile_unit(unit)
    definitions(submission)


@QUICK
@given(st.binary(max_size=400), st.sampled_from(["a.py", "a.ipynb", "", "x.zip"]))
def test_arbitrary_bytes(data: bytes, name: str) -> None:
    check(read_submission(data, name))


@QUICK
@given(st.text(max_size=200), st.text(max_size=20))
def test_arbitrary_text(text: str, name: str) -> None:
    check(read_submission(text.encode("utf-8", "surrogatepass"), name))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "worksheets", "source", "input", "cell_type", "metadata", "tags", "otter", "code"]
            ),
            inner | st.just("code"),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@QUICK
@given(JSON, st.booleans())
def test_arbitrary_json(value: object, wrap: bool) -> None:
    data = {"cells": value if isinstance(value, list) else [value]} if wrap else value
    check(read_submission(json.dumps(data).encode(), "a.ipynb"))


@QUICK
@given(st.integers(0, len(NOTEBOOK)))
def test_truncated_notebooks(length: int) -> None:
    submission = read_submission(NOTEBOOK[:length], "a.ipynb")
    check(submission)
    assert (submission.cause is None) == (length == len(NOTEBOOK))


@QUICK
@given(st.integers(0, 2**32), st.integers(1, 8))
def test_mangled_scripts(seed: int, changes: int) -> None:
    chance = random.Random(seed)
    text = list(SCRIPT)
    for _ in range(changes):
        position = chance.randrange(len(text))
        text[position : position + chance.choice([0, 1, 5])] = chance.choice(
            [
                "",
                "(",
                ")",
                '"""',
                "'",
                "\n",
                "\\\n",
                "\t",
                "\0",
                "“",
                "\u00a0",
                "%",
                "else:\n",
                "\f",
                "# %%\n",
                "[" * 300,
            ]
        )
    check(read_submission("".join(text).encode(), "a.py"))


@QUICK
@given(data=st.binary(max_size=200), seed=st.integers(0, 2**32))
def test_mangled_zips(tmp_path: Path, data: bytes, seed: int) -> None:
    import io
    import zipfile

    chance = random.Random(seed)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.py", data)
        archive.writestr("m.pt", data)
    content = bytearray(stream.getvalue())
    for _ in range(chance.randrange(6)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    check(read_path(path))


def test_real_modules_keep_their_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ast, inspect, json, random, textwrap):
        text = inspect.getsource(module)
        submission = read_submission(text.encode(), "a.py")
        expected = [node for node in ast.parse(text).body if not isinstance(node, ast.If)]
        got = [ast.parse(unit.source).body[0] for unit in submission.units]
        assert [ast.dump(n) for n in got if not isinstance(n, ast.If)] == [ast.dump(n) for n in expected]
        # The same by the slow way, block by block.
        monkeypatch.setattr(limits, "WHOLE_CHARS", 0)
        assert read_submission(text.encode(), "a.py") == submission
        monkeypatch.undo()
        broken = read_submission((text + "\na b\n").encode(), "a.py")
        assert [unit.source for unit in broken.units[:-1]] == [unit.source for unit in submission.units]
        assert [unit.line for unit in broken.units[:-1]] == [unit.line for unit in submission.units]


STATEMENTS = st.sampled_from(
    [
        "x{i} = {i}",
        "def f{i}():\n    return {i}",
        "class C{i}:\n    y = {i}",
        "y{i} = [\n    {i},\n]",
        "z{i} = {i}; w{i} = 0",
        's{i} = """\na b\n"""',
        "if {i}:\n    v{i} = 1\nelse:\n    u{i} = 2",
    ]
)


@QUICK
@given(st.lists(STATEMENTS, min_size=1, max_size=8), st.booleans())
def test_units_define_what_the_file_defines(statements: list[str], broken: bool) -> None:
    text = "\n".join(statement.replace("{i}", str(index)) for index, statement in enumerate(statements))
    expected: dict[str, object] = {}
    exec(text, expected)
    got: dict[str, object] = {}
    for unit in read_submission((text + "\na b" * broken).encode(), "a.py").units:
        if unit.error is None:
            exec(compile_unit(unit), got)
    assert got.keys() == expected.keys()
