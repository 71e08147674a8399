"""What hostile bytes may cost the grader before any of them runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest

from deepmarks import wire
from deepmarks.manifest import Assignment
from deepmarks.submission import Kind, read_path, read_submission
from deepmarks_grader.bundle import Bundle
from deepmarks_grader.errors import UserError
from deepmarks_grader.grading import Grade, intake
from deepmarks_grader.grading.intake import examine, read
from deepmarks_grader.grading.many import grade_paths
from deepmarks_grader.grading.render import overview_markdown
from deepmarks_grader.isolation.apart import TooMuchError, apart

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the work has no limits")


def nested_finally(depth: int) -> str:
    """Python copies what stands in `finally` for each way out of `try`: code that grows with a power of the depth."""
    lines = ["def f():"]
    for level in range(depth):
        indent = "    " * (level + 1)
        lines += [f"{indent}try:", f"{indent}    if x: return 1", f"{indent}    if y: return 2", f"{indent}finally:"]
    return "\n".join([*lines, "    " * (depth + 1) + "pass", ""])


def test_work_apart_gives_its_result_and_leaves_this_process_alone():
    changed: list[int] = []
    assert apart(lambda: (changed.append(1), len(changed))[1]) == 1
    assert changed == ([] if sys.platform.startswith("linux") else [1])


@linux
def test_work_apart_ends_at_its_limits():
    with pytest.raises(TooMuchError):
        apart(lambda: bytearray(1 << 30), memory_mb=100)
    started = time.monotonic()
    with pytest.raises(TooMuchError):
        apart(lambda: [None for _ in iter(int, 1)], seconds=1, memory_mb=1 << 20)
    assert time.monotonic() - started < 30
    with pytest.raises(TooMuchError):
        apart(lambda: os._exit(3))


@linux
def test_an_exception_apart_is_told():
    with pytest.raises(RuntimeError, match="ValueError: of ours"):
        apart(lambda: (_ for _ in ()).throw(ValueError("of ours")))


@linux
def test_an_answer_that_breaks_off_is_none(monkeypatch: pytest.MonkeyPatch):
    encode = wire.encode
    monkeypatch.setattr(wire, "encode", lambda value: encode(value)[:-1])
    with pytest.raises(TooMuchError):
        apart(lambda: "some text")


ODD_TEXTS = [
    b"x = '\xff\xfe \xed\xa0\x80'\ny = 1\n",
    "x = '\U0001f600'\n%matplotlib inline\ndef f(:\n    pass\n".encode(),
    "\ufeffx = 1\n\x00\x0c\n".encode("utf-16"),
    json.dumps({"cells": [{"cell_type": "code", "source": "x = '\ud800'\n!ls"}], "nbformat": 4}).encode(),
    b"",
]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_a_submission_read_apart_is_the_one_read_here(tmp_path: Path, text: bytes):
    for name in ("a.py", "a.ipynb"):
        (tmp_path / name).write_bytes(text)
        assert read(tmp_path / name) == read_path(tmp_path / name)


def test_a_zip_read_apart_is_the_one_read_here(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.py", "x = 1\n")
        archive.writestr("weights.pt", bytes(range(256)) * 100)
        archive.writestr("notes\udce4.txt".encode("utf-8", "replace").decode(), "nothing")
    assert read(tmp_path / "a.zip") == read_path(tmp_path / "a.zip")
    assert read(tmp_path / "a.zip").attachments[0].size == 25_600


@linux
def test_code_that_would_take_gigabytes_to_compile_is_no_code(tmp_path: Path):
    file = tmp_path / "vast.py"
    file.write_text(f"x = 1\n{nested_finally(18)}\ny = 2\n")
    submission = read(file)
    assert any("nested too deeply" in (unit.error or "") for unit in submission.units) or submission.cause


@linux
def test_a_submission_beyond_the_limits_has_a_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.py").write_text("x = 1\n")
    assert read(tmp_path / "a.py").kind is Kind.SCRIPT
    monkeypatch.setattr(intake, "read_path", lambda path: [None for _ in iter(int, 1)])
    monkeypatch.setattr("deepmarks_grader.isolation.apart.apart.__defaults__", (1.0, 512))
    submission = read(tmp_path / "a.py")
    assert "within the limits on time and memory" in str(submission.cause)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spaces after a question mark", "a?" + " " * 200_000 + "x\n"),
        ("tags that do not end", "# %% " + "tags=[" * 40_000 + "\nx = 1\n"),
    ],
)
def test_lines_take_no_quadratic_time(tmp_path: Path, name: str, text: str):
    (tmp_path / "slow.py").write_text(text)
    started = time.monotonic()
    read(tmp_path / "slow.py")
    assert time.monotonic() - started < 10, name


def test_one_statement_that_binds_many_names_is_searched_once(mini_folder: Path):
    chain = " = ".join(f"a{i}" for i in range(2000)) + " = " + "+".join(f"a{i}" for i in range(300))
    source = f"{chain}\ndef double(x):\n    return a0\n"
    started = time.monotonic()
    examined = examine(read_submission(source.encode(), "a.py"), Assignment.load(mini_folder))
    assert not examined.forbidden
    assert time.monotonic() - started < 10


@linux
def test_code_too_involved_to_be_searched_breaks_every_policy(mini_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(intake, "source_violation", lambda *_: [None for _ in iter(int, 1)])
    monkeypatch.setattr("deepmarks_grader.isolation.apart.apart.__defaults__", (1.0, 512))
    examined = examine(read_submission(b"def double(x):\n    return x\n", "a.py"), Assignment.load(mini_folder))
    assert set(examined.forbidden) == {"q1"}
    assert "too involved" in examined.forbidden["q1"].sentence


def test_checkpoints_of_a_folder_are_read_up_to_what_a_zip_may_hold(tmp_path: Path):
    (tmp_path / "a.py").write_text("x = 1\n")
    for n in range(4):
        with open(tmp_path / f"w{n}.pt", "wb") as file:
            file.write(b"PK\3\4")
            file.truncate(90 << 20)
    assert read(tmp_path).cause == "The submission's checkpoints are too large."
    for n in range(2, 4):
        (tmp_path / f"w{n}.pt").unlink()
    assert [attachment.size for attachment in read(tmp_path).attachments] == [90 << 20] * 2


@pytest.mark.parametrize("name", ["...py", "..py"])
def test_names_that_lead_out_of_the_results_are_refused(mini_folder: Path, tmp_path: Path, name: str):
    (tmp_path / name).write_text("x = 1\n")
    with pytest.raises(UserError, match="cannot be called"):
        list(grade_paths(Bundle.load(mini_folder), [tmp_path / name], tmp_path / "out" / "inner"))


def test_names_do_not_command_terminals(mini_folder: Path, mini_solution: str, tmp_path: Path):
    (tmp_path / "z\x1b[2Kpwn.py").write_text(mini_solution)
    bundle = Bundle.load(mini_folder)
    (grade,) = grade_paths(bundle, [tmp_path / "z\x1b[2Kpwn.py"], tmp_path / "out", allow_weak_isolation=True)
    assert grade.submission == "z?[2Kpwn.py"


def test_notices_are_text_for_markdown():
    notice = "line 1: <img src=x> [regrade](http://example.org) # **bold** `code`"
    shown = overview_markdown(Grade("a.py", "mini", (), "![x](y)", (notice,)))
    assert not re.search(r"(?<!\\)[\[\]<>`#!]", shown.replace("**!", "!", 1))
    assert shown.count("**") == 2


@linux
def test_libraries_whose_names_are_all_imported_are_imported_before_the_search():
    program = """
        import sys
        from pathlib import Path
        from deepmarks.manifest import Assignment
        from deepmarks.submission import read_submission
        from deepmarks_grader.grading.intake import examine
        source = b"from torch import *\\nfrom torch.nn.functional import *\\ndef double(x):\\n    return x + x\\n"
        assert "torch" not in sys.modules
        examined = examine(read_submission(source, "a.py"), Assignment.load(Path(sys.argv[1])))
        assert not examined.forbidden, examined
        assert "torch" in sys.modules  # with all of CUDA it would be too large for the search
    """
    folder = Path(__file__).parents[1] / "fixtures" / "mini_bundle"
    command = [sys.executable, "-c", textwrap.dedent(program), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
