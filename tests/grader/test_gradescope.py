"""The built autograder zip, as Gradescope and as plain Otter run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import jupytext
import nbformat
import pytest

from deepmarks.submission import read_path
from deepmarks_grader.authoring import build, load_master
from deepmarks_grader.bundle import Bundle
from deepmarks_grader.demo import broken, half_right, unpack_bundle, write_samples
from deepmarks_grader.errors import UserError
from deepmarks_grader.gradescope_run import run_like_gradescope
from deepmarks_grader.grading import Grader
from deepmarks_grader.grading.results import validate

SLUG = "a1_backprop"


@pytest.fixture(scope="module")
def built(repository, tmp_path_factory):
    """The zips of one assignment and sample submissions for it."""
    out = tmp_path_factory.mktemp("dist")
    (zips,) = build([SLUG], out, repository, update_assignments=False)
    master = load_master(repository / "solutions" / SLUG / "master.py")
    write_samples(master, out / "samples")
    return zips.autograder_zip, out / "samples", master


def as_notebook(source: str, path: Path) -> Path:
    nbformat.write(jupytext.reads(source, fmt="py:percent"), path)
    return path


def test_the_zips_own_script_grades_a_right_submission(built, tmp_path):
    autograder_zip, samples, _ = built
    data = json.loads(run_like_gradescope(autograder_zip, samples / "reference.ipynb", tmp_path).read_text())
    validate(data)
    assert data["score"] == 20
    assert (tmp_path / "results.pkl").is_file()


def zip_of(path: Path, **files: str) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return path.read_bytes()


TROUBLE = {
    "empty file": ("s.py", lambda folder: b"", "empty"),
    "0-byte notebook": ("s.ipynb", lambda folder: b"", "empty"),
    "not JSON": ("s.ipynb", lambda folder: b"{ no", "not a notebook"),
    "two notebooks": ("s.zip", lambda folder: zip_of(folder / "z", a__ipynb="{}", b__ipynb="{}"), "two notebooks"),
    "nothing gradable": ("s.zip", lambda folder: zip_of(folder / "z", report__pdf="x"), "no notebook"),
    "no zip": ("s.zip", lambda folder: b"PK\x03\x04 nonsense", "damaged"),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_whatever_is_handed_in_a_result_says_why(built, tmp_path, name):
    file, data, cause = TROUBLE[name]
    submission = tmp_path / file
    submission.write_bytes(data(tmp_path))
    result = json.loads(run_like_gradescope(built[0], submission, tmp_path / "out").read_text())
    validate(result)
    assert result["score"] == 0
    assert cause in result["output"]


def test_a_grader_that_fails_leaves_a_result_with_the_score_withheld(built, tmp_path):
    root = tmp_path / "root"
    for name in ("submission", "source"):
        (root / name).mkdir(parents=True)
    command = [sys.executable, "-I", "-m", "deepmarks_grader.gradescope", "--root", str(root)]
    assert subprocess.run(command, check=False).returncode == 1
    data = json.loads((root / "results" / "results.json").read_text())
    validate(data)
    assert data["extra_data"]["withheld"]
    assert "assignment.json" in data["tests"][0]["output"]


def test_a_grader_that_is_told_to_stop_leaves_a_result(built, tmp_path):
    root = tmp_path / "root"
    (root / "submission").mkdir(parents=True)
    (root / "submission" / "s.py").write_text("while True:\n    pass\n")
    with zipfile.ZipFile(built[0]) as archive:
        archive.extractall(root / "source")
    command = [sys.executable, "-I", "-m", "deepmarks_grader.gradescope", "--root", str(root)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not (root / "results").is_dir() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 1
    assert json.loads((root / "results" / "results.json").read_text())["extra_data"]["withheld"]


@pytest.mark.parametrize("sample", ["reference", "half_right"])
def test_otter_run_gives_the_same_score(built, tmp_path, sample):
    autograder_zip, samples, _ = built
    submission = samples / f"{sample}.ipynb"
    with Grader(unpack_bundle(autograder_zip, tmp_path)) as grader:
        ours = grader.grade(read_path(submission))
    command = [str(Path(sys.executable).parent / "otter"), "run", "-a", str(autograder_zip), "-o", str(tmp_path)]
    subprocess.run([*command, str(submission)], check=True, capture_output=True, cwd=tmp_path)
    data = json.loads((tmp_path / "results.json").read_text())
    scores = {test["name"]: test["score"] for test in data["tests"] if "score" in test}
    assert scores == {question.name: question.score for question in ours.questions}


def test_otter_run_of_a_broken_submission_scores_what_is_right(built, tmp_path):
    autograder_zip, samples, _ = built
    command = [str(Path(sys.executable).parent / "otter"), "run", "-a", str(autograder_zip), "-o", str(tmp_path)]
    subprocess.run([*command, str(samples / "broken.ipynb")], check=True, capture_output=True, cwd=tmp_path)
    data = json.loads((tmp_path / "results.json").read_text())
    scores = {test["name"]: test["score"] for test in data["tests"] if "score" in test}
    assert scores["q1"] == 0  # a syntax error
    assert 0 < scores["q2"] < 3  # an endless loop in one of its two functions, the sigmoid
    assert scores["q3"] == 2.25  # a crash in init_params; forward is right, with a sigmoid that ends
    assert scores["q5"] == 2


def test_a_bundle_from_the_zip_grades_like_the_checkout(built, repository, tmp_path):
    from deepmarks_grader.bundle import bundle_from_repo, course_secret

    zipped, checkout = unpack_bundle(built[0], tmp_path), bundle_from_repo(SLUG, repository)
    assert isinstance(zipped, Bundle)
    assert zipped.assignment == checkout.assignment
    assert course_secret(zipped) == course_secret(checkout)


def test_samples_are_what_they_say(built):
    _, _, master = built
    assert "NotImplementedError" in half_right(master)
    assert "os._exit" in broken(master)


def test_missing_files_are_said_plainly(built, tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        run_like_gradescope(tmp_path / "no.zip", tmp_path / "no.py", tmp_path)
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    (tmp_path / "s.py").write_text("")
    with pytest.raises(UserError, match="is not an autograder zip"):
        run_like_gradescope(tmp_path / "bad.zip", tmp_path / "s.py", tmp_path)


def test_setup_sh_prepares_a_machine(built, tmp_path, monkeypatch):
    """The zip's own set-up, for real: a new environment from pinned packages, then a grading in it."""
    monkeypatch.setenv("DEEPMARKS_TORCH_INDEX", os.environ.get("DEEPMARKS_TORCH_INDEX", ""))
    autograder_zip, samples, _ = built
    path = run_like_gradescope(autograder_zip, samples / "reference.ipynb", tmp_path, setup=True)
    assert json.loads(path.read_text())["score"] == 20
