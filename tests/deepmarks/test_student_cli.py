"""The student's command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from itertools import islice
from pathlib import Path

import pytest

from deepmarks import cli
from deepmarks.checks.outcomes import Cause, Outcome
from deepmarks.workbench import runner
from deepmarks.workbench.folders import load_place
from deepmarks.workbench.watching import changes

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
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "mini"
    shutil.copytree(FIXTURE, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    (copy / "checks" / "empty.py").touch()
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def deepmarks(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capfd)


class Command:
    """Runs the command line in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *words: str) -> tuple[int, str]:
        """The exit code, and everything printed, on one line."""
        self._monkeypatch.setattr(sys, "argv", ["deepmarks", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = self._capfd.readouterr()
        return int(ended.value.code or 0), " ".join((captured.out + captured.err).split())


def test_the_notebook_of_the_folder_is_checked(folder: Path, deepmarks: Command) -> None:
    code, shown = deepmarks("check")

    assert code == cli.NOT_PASSED
    assert "The softmax looks like the softmax over the batch axis." in shown
    assert "See section 1." in shown
    assert "deepmarks hint mini q1" in shown
    assert "Public checks: 2 of 4 points; 1 of 2 questions without a fault." in shown
    assert "Hidden checks" in shown
    assert "Traceback" not in shown


def test_all_passed_is_exit_code_0(folder: Path, deepmarks: Command) -> None:
    (folder / "mine.py").write_text(RIGHT)

    code, shown = deepmarks("check", "mini", "--file", "mine.py")

    assert code == cli.PASSED
    assert "Public checks: 4 of 4 points" in shown


def test_one_question_as_json(folder: Path, deepmarks: Command) -> None:
    code, shown = deepmarks("check", "q2", "--json")

    report = json.loads(shown)
    assert code == cli.PASSED
    assert (report["assignment"], report["points"], report["max_points"]) == ("mini", 1, 1)
    assert [question["outcome"] for question in report["questions"]] == ["passed"]


@pytest.mark.parametrize("start", [".", "..", "course"])
def test_the_folder_is_found(folder: Path, deepmarks: Command, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    if start == "course":
        (folder.parent / "assignments").mkdir()
        shutil.move(folder, folder.parent / "assignments" / "mini")
        monkeypatch.chdir(folder.parent)
    else:
        monkeypatch.chdir(start)
    assert deepmarks("check", "mi", "q2")[0] == cli.PASSED


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("check", "q9"), "There is no question q9; this assignment has q1 to q2."),
        (("check", "mini", "q9"), "There is no question q9; this assignment has q1 to q2."),
        (("check", "a7"), "There is no assignment a7 here; there are: mini."),
        (("check", "--file", "nothing.py"), "There is no file nothing.py."),
        (("check", "--file", "checks/empty.py"), "cannot be checked. The file is empty (0 bytes)."),
        (("hint", "mini", "q1", "8"), "There is no hint 8 for q1; it has 3."),
        (("start", "mini", "--to", "tests"), "tests exists already; nothing was changed."),
        (("nonsense",), "No such command"),
    ],
)
def test_mistakes_are_sentences_and_exit_code_2(
    folder: Path, deepmarks: Command, words: tuple[str, ...], sentence: str
) -> None:
    code, shown = deepmarks(*words)

    assert code == cli.USAGE
    assert sentence in shown


def test_no_assignment_here_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deepmarks: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("check", "list", "submit"):
        code, shown = deepmarks(command)
        assert code == cli.USAGE
        assert "Keep the files of an assignment together" in shown


def test_statements_that_raise_are_one_line_each_and_the_rest_runs(folder: Path, deepmarks: Command) -> None:
    (folder / "mine.py").write_text("x = unknown\nassert False, 'so'\nraise SystemExit(3)\n" + RIGHT)

    code, shown = deepmarks("check", "--file", "mine.py")

    assert code == cli.PASSED
    assert "line 1: NameError: name 'unknown' is not defined" in shown
    assert "line 2: AssertionError: so" in shown
    assert "line 3: SystemExit: 3" in shown


def test_a_traceback_only_on_request(folder: Path, deepmarks: Command) -> None:
    (folder / "mine.py").write_text("def countdown(n):\n    return n / 0\n")

    assert "Traceback" not in deepmarks("check", "mini", "q2", "-f", "mine.py")[1]
    assert "Traceback (most recent call last)" in deepmarks("check", "mini", "q2", "-f", "mine.py", "--traceback")[1]


def hurry(folder: Path) -> None:
    manifest = folder / "assignment.json"
    data = json.loads(manifest.read_text())
    data["limits"] = {"cell_seconds": 0.3, "call_seconds": 0.3, "question_seconds": 0.5}
    manifest.write_text(json.dumps(data))


def test_an_endless_loop_costs_its_own_checks_only(folder: Path) -> None:
    hurry(folder)
    (folder / "mine.py").write_text(
        "def softmax(x, dim):\n    while True: pass\nwhile True: pass\n" + RIGHT[RIGHT.index("def count") :]
    )

    report = runner.check_file(load_place(folder), folder / "mine.py", ["q1", "q2"])

    assert report.notices == ("line 3 did not finish within 0.3 seconds; it was left out.",)
    assert [question.outcome for question in report.questions] == [Outcome.BROKEN, Outcome.PASSED]
    assert {record.cause for record in report.questions[0].records} == {Cause.TIMEOUT}


def test_code_that_cannot_be_interrupted_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(folder)
    monkeypatch.setattr(runner, "_GRACE_SECONDS", 3.0)
    deaf = "    import signal\n    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n    while True: pass\n"
    (folder / "mine.py").write_text(f"if True:\n{deaf}{RIGHT}\ndef softmax(x, dim):\n{deaf}")

    report = runner.check_file(load_place(folder), folder / "mine.py", ["q1", "q2"])

    assert report.notices == ("line 1: Your code did not finish within 0.3 seconds. It was left out.",)
    broken, passed = report.questions
    assert [(record.title, record.points) for record in broken.records] == [
        ("The softmax of three rows of five scores.", 2.0),
        ("The result has the shape of the scores.", 1.0),
    ]
    assert broken.outcome is Outcome.BROKEN
    assert passed.outcome is Outcome.PASSED


def test_code_that_ends_the_process_costs_its_own_question_only(folder: Path) -> None:
    (folder / "mine.py").write_text(RIGHT + "def softmax(x, dim):\n    import os\n    os._exit(0)\n")

    broken, passed = runner.check_file(load_place(folder), folder / "mine.py", ["q1", "q2"]).questions

    assert broken.records[0].sentence == "Your code ended the Python process (os._exit or the like)."
    assert passed.outcome is Outcome.PASSED


def test_damaged_checks_are_no_fault_of_the_student(folder: Path, deepmarks: Command) -> None:
    (folder / "checks" / "public" / "test_q1.py").write_text("def broken(:")

    code, shown = deepmarks("check")

    assert code == cli.USAGE
    assert "The checks of mini cannot run" in shown


def test_hints_name_the_next_one(folder: Path, deepmarks: Command) -> None:
    code, shown = deepmarks("hint", "mini", "q1")

    assert code == cli.PASSED
    assert "Every row must add up to one." in shown
    assert "deepmarks hint mini q1 2" in shown


def test_list_names_what_is_there(folder: Path, deepmarks: Command) -> None:
    code, shown = deepmarks("list")

    assert code == cli.PASSED
    assert "mini A small assignment 2 questions, 5 points" in shown


def test_submit_makes_the_zip(folder: Path, deepmarks: Command) -> None:
    code, shown = deepmarks("submit", "mini")

    assert code == cli.PASSED
    assert "mini-submission.zip" in shown
    with zipfile.ZipFile(folder / "mini-submission.zip") as archive:
        assert archive.namelist() == ["mini.ipynb"]


def test_start_copies_what_is_needed(folder: Path, deepmarks: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".OTTER_LOG").write_bytes(b"old")
    monkeypatch.chdir(folder.parent)

    code, shown = deepmarks("start", "mini", "--to", "mine")

    assert code == cli.PASSED
    assert "jupyter lab mini.ipynb" in shown
    assert sorted(path.name for path in Path("mine").iterdir()) == ["assignment.json", "checks", "mini.ipynb", "tests"]


def test_doctor_finds_the_assignment_and_no_problem(folder: Path, deepmarks: Command) -> None:
    code, shown = deepmarks("doctor")

    assert code == cli.PASSED
    assert "ok assignments mini" in shown
    assert "problem" not in shown


def test_watching_yields_once_for_every_saved_version(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("1")
    steps = iter([lambda: None, file.unlink, lambda: file.write_text("22"), lambda: file.write_text("333")])

    seen = [file.read_text() for _ in islice(changes(file, lambda seconds: next(steps)()), 3)]

    assert seen == ["1", "22", "333"]


def test_the_command_starts_without_torch() -> None:
    command = "import deepmarks.cli, sys; print({'torch', 'otter'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", command], text=True).strip() == "set()"
