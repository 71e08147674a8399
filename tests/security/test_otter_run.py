"""`otter run` with our zip: what reaches it earns nothing, learns nothing and leaves Otter's own kernel alone.

Plain Otter executes the submission in the kernel that holds the tests; each of these submissions would get full marks
there, or end the run. Through the plugin they get what is right in them.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.conftest import FIXTURES

BUNDLE = FIXTURES / "mini_bundle"
HONEST = (BUNDLE / "solution.py").read_text("utf-8")
WRONG = HONEST.replace("return 2 * x", "return 3 * x")
FULL, HALF = {"q1": 2, "q2": 2}, {"q1": 0, "q2": 2}

FORGED_RESULTS = """
import atexit, glob, os, pickle, threading, time

def forge():
    from otter.test_files import GradingResults
    for path in glob.glob('/tmp/*.pkl') + glob.glob('../results/*'):
        with open(path, 'wb') as file:
            pickle.dump(GradingResults([]), file)

atexit.register(forge)
threading.Thread(target=lambda: (time.sleep(1), forge()), daemon=True).start()
"""

PATCHED_OTTER = """
import otter.test_files.exception_test as tests
import otter.execute.checker as checker
tests.test_case.call_func = lambda self, env: None
checker.Checker.check = classmethod(lambda cls, *a, **k: None)
"""

PATCHED_LIBRARIES = """
import builtins, torch
torch.allclose = torch.equal = lambda *a, **k: True
torch.Tensor.__eq__ = lambda self, other: True
__deepmarks_outcomes__ = {'public/test_q1.py::test_double_on_a_matrix': (True, '')}
builtins.AssertionError = type('Nothing', (BaseException,), {})
"""

READS = """
import glob
found = [open(path).read() for path in glob.glob('../source/bundle/**/*.py', recursive=True)]
print(found)
raise ValueError(str(found))
"""

SUBMISSIONS = {
    "honest": (HONEST, {}, FULL),
    "wrong": (WRONG, {}, HALF),
    "forged results": (WRONG + FORGED_RESULTS, {}, HALF),
    "patched otter": (WRONG + PATCHED_OTTER, {}, HALF),
    "patched libraries": (WRONG + PATCHED_LIBRARIES, {}, HALF),
    "reads the bundle": (WRONG + READS, {}, HALF),
    "exits": (WRONG + "import os\nos._exit(0)\n", {}, HALF),
    "ships modules": (
        WRONG,
        {
            ".OTTER_LOG": "cos\nsystem\n(S'touch /tmp/owned'\ntR.",
            "otter/__init__.py": "raise SystemExit(0)",
            "lib/torch.py": "raise SystemExit(0)",
            "lib/conftest.py": "import os; os._exit(0)",
            "lib/sitecustomize.py": "import os; os._exit(0)",
            "tests/q1.py": "OK_FORMAT = False\nname = 'q1'\npoints = 2\n",
        },
        HALF,
    ),
}


@pytest.fixture(scope="module")
def autograder_zip(tmp_path_factory):
    """The small bundle as an autograder zip, with a canary in a hidden check."""
    canary = "CANARY" + secrets.token_hex(8)
    path = tmp_path_factory.mktemp("otter") / "autograder.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(BUNDLE.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.writestr(f"bundle/{file.relative_to(BUNDLE)}", file.read_text("utf-8"))
        archive.writestr("bundle/checks/hidden/notes.txt", canary)
        config = {"plugins": ["deepmarks_grader.otter_plugin.DeepmarksPlugin"], "show_hidden": True}
        archive.writestr("otter_config.json", json.dumps(config))
        for question, checks in CHECKS.items():
            archive.writestr(f"tests/{question}.py", otter_file(question, checks))
    return path, canary


CHECKS = {
    "q1": ["public/test_q1.py::test_double_on_a_matrix", "hidden/test_q1.py::test_gradient_of_double"],
    "q2": ["public/test_q2.py::test_state_stays_with_the_student", "hidden/test_q2.py::test_affine_loads_a_state_dict"],
}


def otter_file(question: str, checks: list[str]) -> str:
    lines = ["from otter.test_files import test_case", "OK_FORMAT = False", f"name = {question!r}", "points = None"]
    for check in checks:
        lines += [
            f"@test_case(points=1, hidden={check.startswith('hidden')})",
            f"def {check.split('::')[1]}(env):",
            "    from deepmarks.checks import otter_case",
            f"    otter_case(env, {question!r}, {check!r})",
        ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_otter_run_resists(autograder_zip, tmp_path, name):
    source, others, points = SUBMISSIONS[name]
    path, canary = autograder_zip
    submission = tmp_path / "submission.zip"
    with zipfile.ZipFile(submission, "w") as archive:
        archive.writestr("homework.py", source)
        for other, text in others.items():
            archive.writestr(other, text)
    command = [str(Path(sys.executable).parent / "otter"), "run", "-a", str(path), "-o", str(tmp_path), str(submission)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    text = (tmp_path / "results.json").read_text()
    scores = {test["name"]: test["score"] for test in json.loads(text)["tests"] if "score" in test}
    assert scores == points
    assert canary not in text + done.stdout + done.stderr
    assert not Path("/tmp/owned").exists()
