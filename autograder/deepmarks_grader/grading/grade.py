"""Grades submissions of one assignment: the only place where checks, reference and submission meet."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from deepmarks import devices, seeding
from deepmarks.checks.checkpoint import chosen_checkpoint
from deepmarks.checks.errors import Broken, CheckError
from deepmarks.checks.leaderboard import LeaderboardEntry
from deepmarks.checks.local import LocalChannel
from deepmarks.checks.outcomes import Cause, Outcome, QuestionRecord
from deepmarks.checks.plugin import CheckSession
from deepmarks.checks.policy import OperatorPolicy
from deepmarks.checks.probes import Probes
from deepmarks.checks.run import group_by_question, run_checks
from deepmarks.checks.student import Reference, Student
from deepmarks.checks.workspace import Workspace
from deepmarks.submission import Submission, compile_unit, read_submission
from deepmarks_grader.bundle import Bundle, course_secret
from deepmarks_grader.errors import UserError
from deepmarks_grader.grading.intake import Examined, examine, warmable
from deepmarks_grader.grading.own_time import OwnTime, UncountedChannel
from deepmarks_grader.isolation.channel import WorkerChannel
from deepmarks_grader.isolation.control import ZygoteError
from deepmarks_grader.isolation.strength import Report, Strength
from deepmarks_grader.isolation.supervisor import Zygote

_WARMABLE = [
    "numpy",
    "torch",
    "torch.nn.functional",
    "torchvision",
    "sklearn.datasets",
    "matplotlib.pyplot",
    "scipy.special",
    "PIL.Image",
]
"""Modules that the zygote may import for a submission which names them: none runs code of the submission."""


OWN_SECONDS = 300.0
"""What the checks themselves may take for one submission. The dearest measured are the features in a6, about 10 s."""
WEAK_VARIABLE = "DEEPMARKS_ALLOW_WEAK_ISOLATION"


def weak_isolation_allowed() -> bool:
    """Whether the environment says that hidden checks may run on a machine that cannot guard them."""
    return os.environ.get(WEAK_VARIABLE, "") == "1"


@dataclass(frozen=True, slots=True)
class Grade:
    """What grading one submission came to."""

    submission: str
    """The submission's file name."""
    slug: str
    questions: tuple[QuestionRecord, ...]
    cause: str | None = None
    """Why nothing or not everything could be graded, in plain words; None where all went well."""
    notices: tuple[str, ...] = ()
    """What the student should know about how the submission was read and executed."""
    seconds: float = 0.0
    """Wall-clock seconds from the submission's bytes to the last check."""
    check_seconds: float = 0.0
    """Seconds of these inside checks."""
    peak_mb: float = 0.0
    """Peak resident memory of the largest worker, in MiB."""
    cpu_seconds: float = 0.0
    """Processor seconds of the workers."""
    leaderboard: tuple[LeaderboardEntry, ...] = ()
    """What checks told the leaderboard."""
    withheld: str = ""
    """Why staff must look before the score counts: the grader itself failed."""
    isolation: str = ""
    """One line on what guarded the grader."""

    @property
    def score(self) -> float:
        """The points earned; 0 where the score is withheld."""
        return 0.0 if self.withheld else round(sum(question.score for question in self.questions), 6)

    @property
    def max_score(self) -> float:
        """The points that could be earned."""
        return sum(question.max_score for question in self.questions)

    def summary(self) -> dict[str, Any]:
        """The JSON object that `grade --json` prints, and programs read."""
        return {
            "submission": self.submission,
            "slug": self.slug,
            "score": self.score,
            "max_score": self.max_score,
            "questions": {
                q.name: {"score": q.score, "max_score": q.max_score, "outcome": str(q.outcome)} for q in self.questions
            },
            "cause": self.cause,
        }


@dataclass
class Grader:
    """Grades any number of submissions of one assignment with one zygote. Use it as a context manager.

    Entering it raises UserError where this machine cannot guard hidden checks, unless `allow_weak_isolation`.
    """

    bundle: Bundle
    device: str = "cpu"
    extra_warm: Sequence[str] = ()
    allow_weak_isolation: bool = False
    fresh_per_question: bool = False
    """Give each question a worker of its own, so that no question's code can prepare for another's checks."""
    _zygote: Zygote | None = field(default=None, init=False)

    def __enter__(self) -> Grader:
        self.device = devices.resolve(self.device)
        zygote = Zygote(self._modules, cuda=self.device == "cuda", hidden=_hidden_paths(self.bundle))
        if self.bundle.hidden is not None and not self.allow_weak_isolation:
            try:
                _demand_full(zygote.report)
            except UserError:
                zygote.close()
                raise
        self._zygote = zygote
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._zygote is not None:
            self._zygote.close()
            self._zygote = None

    @property
    def isolation(self) -> Report:
        """How well this machine guards the grader; RuntimeError outside the with block."""
        if self._zygote is None:
            raise RuntimeError("a Grader knows its isolation only inside its with block")
        return self._zygote.report

    @property
    def _modules(self) -> list[str]:
        """What every worker of this assignment needs."""
        needs_torch = not all("torch" in q.forbid for q in self.bundle.assignment.questions)
        return ["numpy", *(["torch"] if needs_torch else []), *self.extra_warm]

    @cached_property
    def _probes(self) -> Probes:
        return Probes.read(self.bundle.probes)

    @cached_property
    def _secret(self) -> bytes:
        return course_secret(self.bundle)

    @cached_property
    def _reference_channel(self) -> LocalChannel:
        """The reference solution, executed in this process."""
        namespace: dict[str, Any] = {"__name__": "reference", "__builtins__": __builtins__}
        solution = read_submission(self.bundle.solution.encode(), "solution.py")
        for unit in solution.units:
            exec(compile_unit(unit), namespace)
        return LocalChannel(Workspace(namespace, self.device), self._probes)

    def grade(self, submission: Submission, questions: Sequence[str] | None = None) -> Grade:
        """The grade of `submission`; never raises for anything that a submission can do.

        `questions` restricts the grading to some questions.
        """
        started = time.monotonic()
        assignment = self.bundle.assignment
        if self._zygote is None:
            raise RuntimeError("a Grader grades only inside its with block")
        grade = Grade(
            submission.name,
            assignment.slug,
            (),
            submission.cause,
            submission.notices,
            isolation=self._zygote.report.line(),
        )
        try:
            examined = examine(submission, assignment)
            allowed = [m for m in _WARMABLE if "torch" in self._modules or not m.startswith("torch")]
            self._zygote.warm(warmable(examined.imports, allowed))
            channel = WorkerChannel(
                self._zygote,
                submission,
                self._probes,
                assignment.limits,
                self.device,
                fresh_per_question=self.fresh_per_question,
            )
            try:
                channel.load()
                session = self._session(channel, submission, examined, questions)
                records = run_checks(self._folders, session)
            finally:
                channel.close()
        except (CheckError, ZygoteError, Broken) as error:
            return replace(grade, questions=self._unchecked(questions), withheld=str(error), cause=_WITHHELD)
        except Exception:  # a fault of ours must not cost those who come after this submission
            told = traceback.format_exc()
            return replace(grade, questions=self._unchecked(questions), withheld=told, cause=_WITHHELD)
        grade = replace(
            grade,
            questions=tuple(group_by_question(assignment, records, questions)),
            notices=(*submission.notices, *channel.notices),
            seconds=time.monotonic() - started,
            check_seconds=sum(record.seconds for record in records),
            peak_mb=max((end.peak_kb for end in channel.exits), default=0) / 1024,
            cpu_seconds=sum(end.cpu_seconds for end in channel.exits),
            leaderboard=session.leaderboard.entries,
        )
        internal = [r.staff for r in records if r.cause is Cause.INTERNAL]
        if internal:
            return replace(grade, withheld=internal[0], cause=_WITHHELD)
        return replace(grade, cause=grade.cause or _cause(grade, channel.left_out))

    @property
    def _folders(self) -> list[Any]:
        return [folder for folder in (self.bundle.public, self.bundle.hidden) if folder is not None]

    def _session(
        self, channel: WorkerChannel, submission: Submission, examined: Examined, questions: Sequence[str] | None
    ) -> CheckSession:
        assignment = self.bundle.assignment
        reference_channel = self._reference_channel
        own_time = OwnTime(OWN_SECONDS)
        uncounted = UncountedChannel(channel, own_time)

        def student(question: str, seed: int) -> Student:
            policy = OperatorPolicy(assignment.question(question).forbid)
            return Student(uncounted, operators=policy, sources=examined.sources, names=assignment.names, seed=seed)

        def seed(check: str, hidden: bool) -> int:
            if hidden:
                return seeding.derive(submission.digest, check, secret=self._secret)
            return seeding.derive("deepmarks", check)

        return CheckSession(
            student=student,
            reference=lambda seed: Reference(reference_channel, seed=seed),
            seed=seed,
            device=self.device,
            forbidden=examined.forbidden,
            questions=questions,
            take_output=channel.take_output,
            begin=channel.begin,
            around=own_time.running,
            checkpoint=lambda: chosen_checkpoint(submission.attachments, assignment.slug),
        )

    def _unchecked(self, questions: Sequence[str] | None) -> tuple[QuestionRecord, ...]:
        """Questions without records, for a grade that is withheld."""
        return tuple(group_by_question(self.bundle.assignment, (), questions))


_WITHHELD = "The grader failed on its own account, so no score is given yet; staff have been told."


def _cause(grade: Grade, left_out: Sequence[str]) -> str | None:
    """The gravest thing that stopped some checks, in one sentence; None if nothing did."""
    broken = [record for question in grade.questions for record in question.records if record.outcome is Outcome.BROKEN]
    if broken:
        return f"{broken[0].question}: {broken[0].sentence}"
    return left_out[0] if left_out else None


def _hidden_paths(bundle: Bundle) -> list[Path]:
    """What no worker may read."""
    if bundle.root is not None:
        return [bundle.root] if bundle.hidden is not None else []
    checks = bundle.public.parent
    solutions = checks.parents[2] / "solutions" / checks.name
    return [path for path in (checks, solutions) if path.exists()]


def _demand_full(report: Report) -> None:
    if report.strength is Strength.FULL:
        return
    raise UserError(
        f"this machine cannot guard the hidden checks: isolation is {report.strength}. {report.advice} "
        "`deepmarks-grader doctor` shows every layer. To grade all the same, pass --allow-weak-isolation "
        f"(on Gradescope and in the demo: set {WEAK_VARIABLE}=1)"
    )
