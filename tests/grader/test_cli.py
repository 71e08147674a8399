"""The instructor's command line, as an instructor runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import REPOSITORY

from deepmarks_grader.authoring import load_master

COMMAND = [str(Path(sys.executable).parent / "deepmarks-grader")]
SLUG = "a1_backprop"


def run(*arguments: object, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def submissions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("submissions")
    master = load_master(REPOSITORY / "solutions" / SLUG / "master.py")
    (folder / "right.py").write_text(master.solution_source)
    (folder / "untouched.py").write_text(master.skeleton_source)
    (folder / "empty.ipynb").write_text("")
    return folder


def test_grade_writes_results_and_prints_one_json_object_a_submission(submissions, tmp_path):
    files = [submissions / name for name in ("right.py", "untouched.py", "empty.ipynb")]
    done = run("grade", SLUG, *files, "--out", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    right, untouched, empty = map(json.loads, done.stdout.splitlines())
    assert (right["submission"], right["slug"], right["score"], right["max_score"]) == ("right.py", SLUG, 20, 20)
    assert right["cause"] is None
    assert right["questions"]["q1"] == {"score": 2.0, "max_score": 2.0, "outcome": "passed"}
    assert untouched["score"] == 0
    assert {question["outcome"] for question in untouched["questions"].values()} == {"not attempted"}
    assert "empty" in empty["cause"]
    for stem in ("right", "untouched", "empty"):
        assert json.loads((tmp_path / stem / "results.json").read_text())["tests"]


def test_grade_prints_a_table(submissions, tmp_path):
    done = run("grade", SLUG, submissions / "right.py", "--out", tmp_path)
    assert done.returncode == 0
    assert "right.py" in done.stdout
    assert "20/20" in done.stdout


def test_grade_executes_a_submission_anew_for_each_question(submissions, tmp_path):
    text = (submissions / "right.py").read_text()
    (tmp_path / "counts.py").write_text(f"{text}\nprint('executed')\nraise ValueError('once')\n")
    done = run("grade", SLUG, tmp_path / "counts.py", "--out", tmp_path, "--fresh-per-question", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["score"] == 20


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["grade", "a1_backprob", "x.py", "--out", "o"], "there is no assignment a1_backprob"),
        (["grade", SLUG, "no_such_file.py", "--out", "o"], "there is no submission at no_such_file.py"),
        (["build", "nothing"], "there is no assignment nothing"),
        (["gradescope-run", "no.zip", "no.py", "--out", "o"], "there is no file no.zip"),
    ],
)
def test_mistakes_on_the_command_line_get_a_sentence_and_exit_code_2(arguments, sentence):
    done = run(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_two_submissions_of_one_name_are_refused_before_anything_is_graded(submissions, tmp_path):
    (submissions / "right.ipynb").write_text("{}")
    done = run("grade", SLUG, submissions / "right.py", submissions / "right.ipynb", "--out", tmp_path)
    assert done.returncode == 2
    assert "several submissions are called right" in done.stderr
    assert not list(tmp_path.iterdir())


def test_prove_prints_killed_and_total(tmp_path):
    done = run("prove", SLUG, "--only", "reference", "--only", "skeleton")
    assert done.returncode == 0, done.stdout
    assert "mutants killed 0 / 0" in done.stdout
    summary = json.loads(run("prove", SLUG, "--only", "reference", "--json").stdout)
    assert summary["slug"] == SLUG
    assert summary["reference_peak_mb"] > 0


def test_assignments_are_up_to_date():
    done = run("build", "--check")
    assert done.returncode == 0, done.stderr
