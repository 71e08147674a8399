"""An autograder zip that runs the same checks as ours the way plain Otter does: inside the student's kernel."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

_BRIDGE = '''"""Runs the checks of a question beside the student's code, with the reference in the same process."""
from pathlib import Path

from deepmarks.checks.local import LocalChannel
from deepmarks.checks.outcomes import Outcome
from deepmarks.checks.plugin import CheckSession
from deepmarks.checks.policy import OperatorPolicy
from deepmarks.checks.probes import Probes
from deepmarks.checks.run import run_checks
from deepmarks.checks.student import Reference, Student
from deepmarks.checks.workspace import Workspace
from deepmarks.submission import compile_unit, read_submission
from deepmarks_grader.bundle import Bundle

_pending = {}


def otter_case(env, question, check):
    if check not in _pending:
        bundle = Bundle.load(Path(__file__).parent / "bundle")
        probes = Probes.read(bundle.probes)
        reference = {"__name__": "reference"}
        for unit in read_submission(bundle.solution.encode(), "solution.py").units:
            exec(compile_unit(unit), reference)
        answer, right = (LocalChannel(Workspace(space), probes) for space in (env, reference))
        policy = OperatorPolicy(bundle.assignment.question(question).forbid)
        session = CheckSession(
            lambda name, seed: Student(answer, operators=policy, seed=seed),
            lambda seed: Reference(right, seed=seed),
            questions=[question],
        )
        for record in run_checks([bundle.public, bundle.hidden], session):
            _pending[record.check] = record
    record = _pending.pop(check)
    assert record.outcome is Outcome.PASSED, record.sentence
'''


def plain_otter_zip(autograder_zip: Path, target: Path) -> Path:
    """Write `target`: the zip without our plugin, its checks bound to the kernel that runs the submission."""
    with zipfile.ZipFile(autograder_zip) as source, zipfile.ZipFile(target, "w") as plain:
        for name in source.namelist():
            text = source.read(name)
            if name.startswith("tests/"):
                plain.writestr(name, text.replace(b"from deepmarks.checks import", b"from plain_case import"))
            elif name.startswith("bundle/"):
                plain.writestr(f"files/plain_case/{name}", text)
        plain.writestr("files/plain_case/__init__.py", _BRIDGE)
        plain.writestr("otter_config.json", json.dumps({"show_hidden": True}))
    return target
