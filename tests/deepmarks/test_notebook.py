"""The `grader` object of the notebooks."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import deepmarks
from deepmarks.checks.local import check_namespace
from deepmarks.checks.otter_case import prepare
from deepmarks.workbench.errors import CheckStopped, FolderError, HandInError, UnknownQuestionError

FIXTURE = Path(__file__).parents[1] / "fixtures" / "mini_assignment"
RIGHT = """
import torch
def softmax(scores, dim):
    e = torch.exp(scores - scores.amax(dim, keepdim=True))
    return e / e.sum(dim, keepdim=True)
def countdown(n):
    return list(range(n, 0, -1))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    copy = tmp_path / "mini"
    shutil.copytree(FIXTURE, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    monkeypatch.chdir(copy)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    yield copy
    prepare(None)


def names(source: str) -> dict[str, Any]:
    found: dict[str, Any] = {"__name__": "student"}
    exec(source, found)
    return found


def test_importing_deepmarks_is_light() -> None:
    command = "import deepmarks, sys; print({'torch', 'otter', 'numpy', 'pytest'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", command], text=True).strip() == "set()"


def test_looking_at_the_class_does_not_import_otter() -> None:
    command = "import deepmarks, sys; deepmarks.Notebook; print('otter' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", command], text=True).strip() == "False"


def test_it_is_an_otter_notebook_and_keeps_its_log(folder: Path) -> None:
    import otter
    from otter.check.logs import EventType, Log

    grader = deepmarks.Notebook("mini")
    result = grader.check("q1", names(RIGHT))

    assert isinstance(grader, otter.Notebook)
    assert result.otter.grade == 1
    entries = Log.from_file(".OTTER_LOG").entries
    assert [entry.event_type for entry in entries] == [EventType.INIT, EventType.CHECK]


def test_check_shows_our_rendering(folder: Path) -> None:
    wrong = RIGHT.replace("(dim", "(1 - dim")

    result = deepmarks.Notebook("mini").check("q1", names(wrong))

    assert "The softmax looks like the softmax over the batch axis." in result._repr_html_()
    assert "See section 1." in repr(result)
    assert "Traceback" not in result._repr_html_()


def test_check_finds_the_callers_names(folder: Path) -> None:
    program = f"import deepmarks\n{RIGHT}\nprint(deepmarks.Notebook('mini').check_all())"

    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, check=True)

    assert "Public checks: 4 of 4 points; 2 of 2 questions without a fault." in shown.stdout


def test_a_function_without_its_cell_run_is_not_attempted(folder: Path) -> None:
    shown = repr(deepmarks.Notebook("mini").check("q1", {}))
    assert "softmax is not defined. Have you run its cell?" in shown


def test_printed_output_is_in_the_result_and_not_on_the_screen(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chatty = RIGHT + "def countdown(n):\n    print('n is', n)\n    return [n]\n"

    result = deepmarks.Notebook("mini").check("q2", names(chatty))

    assert "n is 3" in repr(result)
    assert "n is 3" not in capsys.readouterr().out


def test_a_traceback_on_request_starts_in_the_students_code(folder: Path) -> None:
    grader, raising = deepmarks.Notebook("mini"), names("def countdown(n):\n    return n / 0\n")

    assert "Traceback" not in repr(grader.check("q2", raising))
    shown = repr(grader.check("q2", raising, traceback=True))
    assert "ZeroDivisionError" in shown.split("Traceback (most recent call last):")[1]
    assert "workspace.py" not in shown


def test_an_endless_loop_ends_by_itself(folder: Path) -> None:
    manifest = folder / "assignment.json"
    manifest.write_text(manifest.read_text().replace('"call_seconds": 10', '"call_seconds": 0.2'))

    result = deepmarks.Notebook("mini").check("q2", names("def countdown(n):\n    while True: pass\n"))

    assert "Your code did not finish within 0.2 seconds." in repr(result)


def test_stopping_a_check_names_the_line_that_ran(folder: Path) -> None:
    stopped = names("def countdown(n):\n    raise KeyboardInterrupt\n")

    with pytest.raises(CheckStopped, match=r"stopped the check of q2 while countdown was at line 2") as raised:
        deepmarks.Notebook("mini").check("q2", stopped)

    assert raised.value._render_traceback_()[0].startswith("You stopped the check of q2")


def test_an_unknown_question_is_a_sentence(folder: Path) -> None:
    with pytest.raises(UnknownQuestionError, match="There is no question q9; this assignment has q1 to q2"):
        deepmarks.Notebook("mini").check("q9")


def test_a_notebook_without_its_files_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FolderError, match="Keep the files of an assignment together"):
        deepmarks.Notebook("mini")


def test_damaged_checks_say_what_to_do(folder: Path) -> None:
    (folder / "checks" / "public" / "test_q1.py").write_text("def broken(:")
    with pytest.raises(FolderError, match="Unpack its zip once more"):
        deepmarks.Notebook("mini").check("q1", names(RIGHT))


def test_two_assignments_in_one_process_keep_their_own_checks(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    checks = other / "checks" / "public" / "test_q1.py"
    checks.write_text(checks.read_text().replace("[3, 2, 1]", "[3, 2, 1, 0]"))

    first, second = (check_namespace(place, names(RIGHT), ["q2"])[0] for place in (folder, other))

    assert first.score == 1
    assert second.score == 0


@pytest.mark.parametrize("start", ["..", "../.."])
def test_it_finds_its_folder_from_above(folder: Path, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    if start == "../..":
        (folder.parent / "assignments").mkdir()
        folder = folder.rename(folder.parent / "assignments" / "mini")
        monkeypatch.chdir(folder.parent.parent)
    else:
        monkeypatch.chdir(folder.parent)

    assert deepmarks.Notebook("mini").check("q2", names(RIGHT)).question.score == 1


def test_it_finds_its_folder_by_what_jupyter_says(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "mini.ipynb"))

    assert deepmarks.Notebook("mini").check("q2", names(RIGHT)).question.score == 1


def test_hints_come_one_at_a_time(folder: Path) -> None:
    grader = deepmarks.Notebook("mini")

    assert [repr(grader.hint("q1")).split(":")[0] for _ in range(4)] == [
        "Hint 1 of 3 for q1",
        "Hint 2 of 3 for q1",
        "Hint 3 of 3 for q1",
        "Hint 3 of 3 for q1",
    ]
    assert "This was the last one." in repr(grader.hint("q1", 3))
    with pytest.raises(UnknownQuestionError, match="There is no hint 7 for q1; it has 3"):
        grader.hint("q1", 7)


def test_submit_packs_the_notebook_and_the_weights(folder: Path) -> None:
    (folder / "mini.safetensors").write_bytes(b"weights")

    note = repr(deepmarks.Notebook("mini").submit())

    with zipfile.ZipFile(folder / "mini-submission.zip") as archive:
        assert archive.namelist() == ["mini.ipynb", "mini.safetensors"]
    assert "If you have changed it since, save it" in note
    assert "Not defined" not in note


def test_submit_says_what_is_missing(folder: Path) -> None:
    notebook = folder / "mini.ipynb"
    notebook.write_text(notebook.read_text().replace("def countdown", "def count_down"))
    assert "Not defined in it: countdown (q2)." in repr(deepmarks.Notebook("mini").submit())


def test_submit_refuses_what_the_grader_cannot_read(folder: Path) -> None:
    grader = deepmarks.Notebook("mini")
    (folder / "mini.ipynb").write_text("{ damaged")
    with pytest.raises(HandInError, match="cannot be handed in"):
        grader.submit()


def test_ipython_shows_sentences_and_no_traceback(folder: Path) -> None:
    program = "import deepmarks\ngrader = deepmarks.Notebook('mini')\ngrader.check('q9')\n"
    (folder / "cell.py").write_text(program)
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", "%run -i cell.py"]

    shown = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)

    assert "There is no question q9; this assignment has q1 to q2." in shown.stdout + shown.stderr
    assert "Traceback" not in shown.stdout + shown.stderr
