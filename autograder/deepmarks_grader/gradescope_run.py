"""Runs an autograder zip as Gradescope would, under a root of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from deepmarks_grader.errors import UserError
from deepmarks_grader.grading.results import RESULTS_NAME

_KEPT = (RESULTS_NAME, "results.pkl")


def run_like_gradescope(autograder_zip: Path, submission: Path, out: Path, *, setup: bool = False) -> Path:
    """Unpack the zip into Gradescope's layout, run its own scripts and copy the results to `out`.

    With `setup`, the zip's `setup.sh` builds the environment first, as Gradescope does once; otherwise the zip's
    `run_autograder` uses this Python. Raises UserError if a file is missing or no result came.
    """
    for path in (autograder_zip, submission):
        if not path.is_file():
            raise UserError(f"there is no file {path}")
    with tempfile.TemporaryDirectory(prefix="deepmarks-gradescope-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        source = root / "source"
        for name in ("submission", "results"):
            (root / name).mkdir()
        try:
            with zipfile.ZipFile(autograder_zip) as archive:
                archive.extractall(source)
            shutil.copy(source / "run_autograder", root / "run_autograder")
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(f"{autograder_zip} is not an autograder zip: {error}") from error
        shutil.copy(submission, root / "submission")
        environment = {**os.environ, "DEEPMARKS_AUTOGRADER_ROOT": str(root)}
        if setup:
            _run(["bash", str(source / "setup.sh")], environment)
        else:
            environment["DEEPMARKS_PYTHON"] = sys.executable
        # Its exit code says whether the score counts; the result is there in either case.
        finished = subprocess.run(["bash", str(root / "run_autograder")], env=environment, cwd=root, check=False)
        out.mkdir(parents=True, exist_ok=True)
        for name in _KEPT:
            if (root / "results" / name).is_file():
                shutil.copy(root / "results" / name, out / name)
    if not (out / RESULTS_NAME).is_file():
        raise UserError(f"run_autograder ended with code {finished.returncode} and left no results.json")
    return out / RESULTS_NAME


def _run(command: list[str], environment: dict[str, str]) -> None:
    finished = subprocess.run(command, env=environment, check=False)
    if finished.returncode:
        raise UserError(f"{' '.join(command)} ended with code {finished.returncode}")
