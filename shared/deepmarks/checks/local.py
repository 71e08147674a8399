"""Checks in the student's own kernel or process: fast, unguarded, with the grader's encoding in between."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from deepmarks import wire
from deepmarks.checks.messages import Reply, Request, reply_from_data
from deepmarks.checks.outcomes import QuestionRecord
from deepmarks.checks.plugin import CheckSession
from deepmarks.checks.policy import OperatorPolicy, source_violation
from deepmarks.checks.run import group_by_question, run_checks
from deepmarks.checks.student import Reference, Student
from deepmarks.checks.workspace import Workspace
from deepmarks.manifest import Assignment


class LocalChannel:
    """A channel to a workspace in this process; requests and replies are encoded as they are for a worker."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._ids = itertools.count(1)

    def request(self, request: Request) -> Reply:
        """The workspace's reply; the global generators of this process are left as they were."""
        frame = wire.encode({"id": next(self._ids), **request.to_data()})
        with _generators_kept():
            answer = self._workspace.answer(frame)
        return reply_from_data(wire.decode(answer, wire.TRUSTED_SENDER)["reply"])


def local_student(
    namespace: dict[str, Any], probes_source: str = "", *, forbid: Sequence[str] = (), seed: int = 0
) -> Student:
    """A student whose names are in `namespace`."""
    return Student(LocalChannel(Workspace(namespace, probes_source)), operators=OperatorPolicy(forbid), seed=seed)


def local_reference(namespace: dict[str, Any], probes_source: str = "", device: str | None = None) -> LocalChannel:
    """The channel to a reference solution executed in `namespace`."""
    return LocalChannel(Workspace(namespace, probes_source, device))


def check_namespace(
    folder: Path,
    namespace: dict[str, Any],
    questions: Sequence[str] | None = None,
    source: str = "",
) -> list[QuestionRecord]:
    """Run the public checks of the assignment in `folder` against the names in `namespace`.

    `folder` holds `assignment.json` and `checks/`; `source` is the submission's text, for the source policies.
    """
    assignment = Assignment.load(folder)
    probes = folder / "checks" / "probes.py"
    channel = LocalChannel(Workspace(namespace, probes.read_text("utf-8") if probes.is_file() else ""))
    forbidden = {}
    for question in assignment.questions:
        violation = source_violation(source, question.names, question.forbid)
        if violation is not None:
            forbidden[question.name] = violation

    def student(name: str, seed: int) -> Student:
        return Student(channel, operators=OperatorPolicy(assignment.question(name).forbid), seed=seed)

    session = CheckSession(student, forbidden=forbidden, questions=questions)
    records = run_checks([folder / "checks" / "public"], session)
    return group_by_question(assignment, records, questions)


@contextmanager
def _generators_kept() -> Iterator[None]:
    """The global random generators are the same after the block as before."""
    torch = sys.modules.get("torch")
    python, numpy_state = random.getstate(), np.random.get_state()
    torch_state = torch.get_rng_state() if torch is not None else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)
        if torch is not None and torch_state is not None:
            torch.set_rng_state(torch_state)


__all__ = ["LocalChannel", "Reference", "check_namespace", "local_reference", "local_student"]
