"""The pytest plugin: fixtures for checks, and a record of how each ended."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from deepmarks import seeding
from deepmarks.calibration import CalibrationError
from deepmarks.checkpoints import CheckpointError
from deepmarks.checks.author import CheckInfo, check_info
from deepmarks.checks.errors import Broken, CheckError, NotAttempted, StudentError, UnsureError
from deepmarks.checks.leaderboard import Leaderboard
from deepmarks.checks.outcomes import Cause, CheckRecord, Outcome, worst
from deepmarks.checks.student import Reference, Student
from deepmarks.compare import Mismatch
from deepmarks.devices import checks_precision
from deepmarks.submission.records import Attachment

HIDDEN_FOLDER = "hidden"


class MisfitError(Exception):
    """What the student's code returned is of no use for the check, in a way that it does not name."""


def no_checkpoint() -> Attachment:
    """Say that no weights were handed in."""
    raise NotAttempted("No checkpoint was handed in.")


@dataclass(frozen=True, slots=True)
class CheckSession:
    """What the checks of one submission run against."""

    student: Callable[[str, int], Student]
    """Makes the student for a question and a seed."""
    reference: Callable[[int], Reference] | None = None
    """Makes the reference for a seed; None where only public checks run."""
    seed: Callable[[str, bool], int] = lambda check, hidden: seeding.derive("deepmarks", check)
    """The seed of a check by its name and whether it is hidden."""
    device: str = "cpu"
    forbidden: Mapping[str, Broken] = field(default_factory=dict)
    """Questions whose source breaks a policy."""
    questions: Sequence[str] | None = None
    """The questions to check; None for all."""
    take_output: Callable[[], str] = lambda: ""
    """What the student's code printed since the last time."""
    begin: Callable[[str, str], None] = lambda question, check: None
    """Told before each check starts."""
    around: Callable[[], AbstractContextManager[None]] = nullcontext
    """Entered around each check."""
    checkpoint: Callable[[], Attachment] = no_checkpoint
    """The weights that were handed in; raises NotAttempted if there are none."""
    leaderboard: Leaderboard = field(default_factory=Leaderboard)
    """What checks tell the leaderboard."""


class CheckPlugin:
    """Runs checks against a session and collects their records."""

    def __init__(self, session: CheckSession) -> None:
        self.session = session
        self.collection_errors: list[str] = []
        self.interrupt: BaseException | None = None
        """What stopped the run from the keyboard."""
        self._infos: dict[str, CheckInfo] = {}
        self._records: dict[str, list[CheckRecord]] = {}
        self._started = 0.0

    @property
    def records(self) -> list[CheckRecord]:
        """One record a check, in the order of the files; the cases of a parametrised check are one record."""
        return [_merge(cases) for cases in self._records.values()]

    # ---------------------------------------------------------------- fixtures

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest) -> Student:
        """The student's code."""
        info = self._infos[_check_name(request.node)]
        student = self.session.student(info.question, self._seed(request.node))
        return student.on("cpu") if info.device == "cpu" else student

    @pytest.fixture
    def reference(self, request: pytest.FixtureRequest) -> Reference:
        """The reference solution; hidden checks only."""
        reference = self._reference(request.node)
        if reference is None:
            raise CheckError("only hidden checks may ask for the reference")
        return reference

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> np.random.Generator:
        """A NumPy generator seeded for this check and submission."""
        return seeding.generator(self._seed(request.node))

    @pytest.fixture
    def torch_rng(self, request: pytest.FixtureRequest) -> Any:
        """A torch generator on the CPU seeded for this check and submission."""
        return seeding.torch_generator(self._seed(request.node))

    @pytest.fixture
    def device(self, request: pytest.FixtureRequest) -> str:
        """Where the student's code runs: "cpu" or "cuda"."""
        return "cpu" if self._infos[_check_name(request.node)].device == "cpu" else self.session.device

    @pytest.fixture
    def checkpoint(self) -> Attachment:
        """The weights that were handed in; the check is not attempted if there are none."""
        return self.session.checkpoint()

    @pytest.fixture
    def leaderboard(self) -> Leaderboard:
        """Takes entries for the leaderboard: `leaderboard.add("test accuracy", 0.98)`."""
        return self.session.leaderboard

    def _reference(self, item: pytest.Item) -> Reference | None:
        if self.session.reference is None:
            return None
        reference = self.session.reference(self._seed(item))
        return reference.on("cpu") if self._infos[_check_name(item)].device == "cpu" else reference

    def _seed(self, item: pytest.Item) -> int:
        base = self.session.seed(_check_name(item), _is_hidden(item))
        case = hashlib.sha256(item.name.encode()).digest()
        return seeding.derive(base, case)

    # ------------------------------------------------------------------- hooks

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected: the grader must know."""
        if report.failed:
            self.collection_errors.append(str(report.longrepr))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep the interrupt, which pytest turns into an exit code."""
        self.interrupt = excinfo.value

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the checks of the questions asked for."""
        chosen = []
        for item in items:
            info = check_info(getattr(item, "function", None))
            if info is None:
                self.collection_errors.append(f"{item.nodeid} is not marked with @question")
                continue
            if self.session.questions is not None and info.question not in self.session.questions:
                continue
            self._infos[_check_name(item)] = info
            chosen.append(item)
        items[:] = chosen

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Take the time and the output of one check."""
        self.session.take_output()
        self.session.begin(self._infos[_check_name(item)].question, _check_name(item))
        self._started = time.monotonic()
        with checks_precision():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Iterator[None]:
        """Run a check, or refuse it at once if its question's source breaks a policy."""
        violation = self.session.forbidden.get(self._infos[_check_name(pyfuncitem)].question)
        if violation is not None:
            raise violation
        with self.session.around():
            try:
                return (yield)
            except UnsureError as error:
                self._blame(pyfuncitem, error)
                raise

    def _blame(self, item: pytest.Function, error: UnsureError) -> None:
        """Raise `MisfitError` if the check passes where the reference stands for the student."""
        reference = self._reference(item)
        if reference is None:
            return
        seed = self._seed(item)
        fresh: dict[str, Any] = {"student": reference, "rng": seeding.generator(seed)}
        if "torch_rng" in item.funcargs:
            fresh["torch_rng"] = seeding.torch_generator(seed)
        arguments = {name: fresh.get(name, item.funcargs[name]) for name in item._fixtureinfo.argnames}
        try:
            item.obj(**arguments)
        except Exception:
            return
        raise MisfitError(str(error)) from error

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Turn the end of a check into a record."""
        error = call.excinfo.value if call.excinfo is not None else None
        if call.when == "teardown" or (call.when == "setup" and error is None):
            return
        name, hidden = _check_name(item), _is_hidden(item)
        info = self._infos[name]
        record = CheckRecord(name, info.question, info.title, info.points, hidden, Outcome.PASSED)
        record = replace(record, seconds=time.monotonic() - self._started, output=self.session.take_output())
        self._records.setdefault(name, []).append(_safe(_judge(record, error)))
        if error is not None:
            traceback.clear_frames(error.__traceback__)  # what the submission returned may be large


def _check_name(item: pytest.Item) -> str:
    function = getattr(item, "originalname", None) or item.name
    return f"{item.path.parent.name}/{item.path.name}::{function}"


def _is_hidden(item: pytest.Item) -> bool:
    return item.path.parent.name == HIDDEN_FOLDER


_STRUCTURE = (
    "Your result could not be used: its structure (its type, its keys or the number of its parts) is not what the "
    "question asks for."
)


def _judge(record: CheckRecord, error: BaseException | None) -> CheckRecord:
    """The record of a check that ended with `error`."""
    match error:
        case None:
            return record
        case Mismatch():
            cause = Cause.MUTATED if error.kind == "input-changed" else Cause.MISMATCH
            return replace(
                record,
                outcome=Outcome.FAILED,
                cause=cause,
                sentence=error.sentence,
                kind=error.kind,
                detail=error.detail,
                pointer=error.pointer,
            )
        case StudentError():
            return replace(
                record,
                outcome=Outcome.FAILED,
                cause=Cause.RAISED,
                sentence=error.sentence,
                kind="raised",
                detail=error.detail,
            )
        case NotAttempted():
            return replace(
                record,
                outcome=Outcome.NOT_ATTEMPTED,
                cause=Cause.MISSING,
                sentence=error.sentence,
                kind="not-attempted",
            )
        case CheckpointError():
            return replace(
                record,
                outcome=Outcome.FAILED,
                cause=Cause.MISMATCH,
                sentence=error.sentence,
                kind="checkpoint",
            )
        case Broken():
            return replace(
                record,
                outcome=Outcome.BROKEN,
                cause=error.cause,
                sentence=error.sentence,
                kind=str(error.cause),
                detail=error.detail,
            )
        case CheckError() | CalibrationError():
            return _internal(record, str(error))
    if isinstance(error, ImportError) or (error is not None and _is_the_graders_own(error)):
        return _internal(record, "".join(traceback.format_exception(error)))
    detail = f"{type(error).__name__}: {error}"
    return replace(
        record,
        outcome=Outcome.FAILED,
        cause=Cause.STRUCTURE,
        sentence=_STRUCTURE,
        kind="structure",
        detail=detail,
    )


def _internal(record: CheckRecord, staff: str) -> CheckRecord:
    """The record of a check in which the grader failed, not the student."""
    sentence = "The grader could not run this check; staff have been told."
    return replace(record, outcome=Outcome.BROKEN, cause=Cause.INTERNAL, sentence=sentence, staff=staff)


_ENGINE = ("deepmarks_grader.", "deepmarks.checks.", "deepmarks.wire", "deepmarks.seeding")
_HANDLES_RESULTS = ("deepmarks.checks.student", "deepmarks.checks.author", "deepmarks.checks.numerics")
"""Modules of the engine in which a strange result of the student's can raise."""


def _is_the_graders_own(error: BaseException) -> bool:
    """Whether an exception came out of the engine, so that no student is to blame."""
    trace = error.__traceback__
    innermost = ""
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if name.startswith(_ENGINE):
            innermost = name
        trace = trace.tb_next
    # The plugin itself is in every traceback, around the check.
    return bool(innermost) and innermost != __name__ and innermost not in _HANDLES_RESULTS


def _safe(record: CheckRecord) -> CheckRecord:
    """The record without what a hidden check may not show to students."""
    if not record.hidden:
        return record
    staff = "\n".join(part for part in (record.staff, record.detail) if part)
    return replace(record, detail="", output="", staff=staff)


def _merge(cases: list[CheckRecord]) -> CheckRecord:
    """One record for the cases of a parametrised check: the first that ended as the worst of them did."""
    outcome = worst([case.outcome for case in cases])
    chosen = next((case for case in cases if case.outcome is outcome), cases[0])
    return replace(chosen, seconds=sum(case.seconds for case in cases))
