"""The student zip stands alone: unpacked elsewhere, in a fresh environment, it works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import pytest

from deepmarks_grader.authoring import build

SLUG = "a1_backprop"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_student_unpacks_installs_and_checks(repository, tmp_path):
    (zips,) = build([SLUG], tmp_path / "dist", repository, update_assignments=False)
    with zipfile.ZipFile(zips.student_zip) as archive:
        archive.extractall(tmp_path / "home")
    folder = tmp_path / "home" / SLUG
    python = str(folder / ".venv" / "bin" / "python")
    # No trace of this checkout, nor of its environment.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    base = getattr(sys, "_base_executable", sys.executable)
    assert run(base, "-m", "venv", ".venv").returncode == 0
    installed = run(python, "-m", "pip", "install", "--quiet", "-r", "requirements.txt")
    assert installed.returncode == 0, installed.stderr
    checked = run(str(folder / ".venv" / "bin" / "deepmarks"), "check", SLUG, "q1", "--json")
    assert checked.returncode == 1, checked.stderr
    first = json.loads(checked.stdout.splitlines()[0])
    assert "not attempted" in json.dumps(first)
    assert run(python, "-c", "import deepmarks_grader").returncode != 0
