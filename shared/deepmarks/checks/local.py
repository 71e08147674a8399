"""Checks in the student's own kernel or process: fast, unguarded, with the grader's encoding in between."""

from __future__ import annotations

import itertools
import random
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deepmarks import wire
from deepmarks.checks.checkpoint import chosen_checkpoint
from deepmarks.checks.limited import LimitedChannel, PrintedOutput
from deepmarks.checks.messages import Failure, Reply, Request, reply_from_data
from deepmarks.checks.outcomes import QuestionRecord
from deepmarks.checks.plugin import CheckSession
from deepmarks.checks.policy import OperatorPolicy, source_violation
from deepmarks.checks.probes import Probes
from deepmarks.checks.run import group_by_question, run_checks
from deepmarks.checks.student import Student
from deepmarks.checks.workspace import Workspace
from deepmarks.manifest import Assignment
from deepmarks.submission import definitions, read_submission
from deepmarks.submission.weights import checkpoints_beside


class LocalChannel:
    """A channel to a workspace in this process; requests and replies are encoded as they are for a worker."""

    def __init__(self, workspace: Workspace, probes: Probes | None = None) -> None:
        self._workspace = workspace
        self._probes = probes or Probes()
        self._ids = itertools.count(1)

    def request(self, request: Request) -> Reply:
        """The workspace's reply; the global generators of this process are left as they were."""
        part = self._probes.needed(request)
        code = None if part is None else part.code
        frame = wire.encode({"id": next(self._ids), **request.to_data(), "probes": code})
        with _generators_kept():
            answer = self._workspace.answer(frame)
        return reply_from_data(wire.decode(answer, wire.TRUSTED_SENDER)["reply"])

    def renew(self) -> None:
        """Nothing: there is this process only."""


def local_student(
    namespace: dict[str, Any], probes_source: str = "", *, forbid: Sequence[str] = (), seed: int = 0
) -> Student:
    """A student whose names are in `namespace`."""
    channel = LocalChannel(Workspace(namespace), Probes(probes_source))
    return Student(channel, operators=OperatorPolicy(forbid), seed=seed)


def check_namespace(
    folder: Path,
    namespace: dict[str, Any],
    questions: Sequence[str] | None = None,
    source: str = "",
) -> list[QuestionRecord]:
    """Run the public checks of the assignment in `folder` against the names in `namespace`.

    `folder` holds `assignment.json` and `checks/`; `source` is the submission's text, for the source policies. The
    assignment's limits for calls and questions hold; what the code prints is in the records. `staff` of a record holds
    the traceback of the student's own code, for those who ask for it. KeyboardInterrupt passes through.
    """
    assignment = Assignment.load(folder)
    workspace = _TracedWorkspace(namespace)
    probes = Probes.read(folder / "checks" / "probes.py")
    channel = LimitedChannel(LocalChannel(workspace, probes), assignment.limits)
    sources = definitions(read_submission(source.encode("utf-8", "replace"), "source.py")) if source else {}
    forbidden = {}
    for question in assignment.questions:
        violation = source_violation(source, question.names, question.forbid, assignment.names)
        if violation is not None:
            forbidden[question.name] = violation

    def student(name: str, seed: int) -> Student:
        policy = OperatorPolicy(assignment.question(name).forbid)
        return Student(channel, operators=policy, sources=sources, names=assignment.names, seed=seed)

    def begin(question: str, check: str) -> None:
        channel.begin(question)
        workspace.check = check

    output = PrintedOutput(assignment.limits.output_kb)
    session = CheckSession(
        student,
        forbidden=forbidden,
        questions=questions,
        take_output=output.take,
        begin=begin,
        checkpoint=lambda: chosen_checkpoint(checkpoints_beside(folder, assignment.slug), assignment.slug),
    )
    with output.kept():
        records = run_checks([folder / "checks" / "public"], session)
    records = [replace(r, staff=r.staff or workspace.traces.get(r.check, "")) for r in records]
    return group_by_question(assignment, records, questions)


class _TracedWorkspace(Workspace):
    """A workspace that remembers the first traceback of each check, from the student's code on."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        super().__init__(namespace)
        self.check = ""
        self.traces: dict[str, str] = {}

    def _failure(self, error: BaseException, name: str) -> Failure:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals is not self.namespace:
            trace = trace.tb_next
        if trace is not None:
            self.traces.setdefault(self.check, "".join(traceback.format_exception(type(error), error, trace)))
        return super()._failure(error, name)


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
