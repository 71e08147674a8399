"""Read an assignment's checks without running them, and hold them against the master."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepmarks.checks.probes import PREFIX, STAND_IN, closure
from deepmarks_grader.authoring.master import Master
from deepmarks_grader.authoring.mutants import Mutant, load_accepted, load_mutants
from deepmarks_grader.authoring.problems import AuthoringError, Problem, Report, gathering, unknown

LEAST_CHECKS = 2
"""Of each kind for each question: one alone says nothing about where the mistake is."""
_SENTENCES = {"expect": "sentence", "student_raises": "sentence"}
_TEST_METHODS = "test_"
_PUBLIC = "public."
_STAND_IN = re.compile(re.escape(PREFIX) + r"\w+")


@dataclass(frozen=True, slots=True)
class Check:
    """One check, as its file describes it."""

    name: str
    question: str
    points: float
    title: str
    """The docstring's first line; what students see."""
    hidden: bool
    file: str
    """`public/test_q1.py` or `hidden/test_q1.py`."""
    line: int
    fixtures: tuple[str, ...] = ()
    """What it asks for: `student`, `reference`, `checkpoint`, ..."""

    @property
    def id(self) -> str:
        """The name by which records know the check."""
        return f"{self.file}::{self.name}"


@dataclass(frozen=True, slots=True)
class CheckSet:
    """Everything in `autograder/checks/<slug>/`, read and found sound."""

    folder: Path
    checks: tuple[Check, ...]
    """In the order in which students meet them: by question of the master, public ones first."""
    mutants: tuple[Mutant, ...]
    accepted: tuple[Path, ...]

    def of(self, question: str, *, hidden: bool | None = None) -> tuple[Check, ...]:
        """The checks of `question`; only hidden or only public ones if asked."""
        return tuple(c for c in self.checks if c.question == question and hidden in (None, c.hidden))

    @property
    def takes_checkpoint(self) -> bool:
        """Whether trained weights are handed in beside the notebook."""
        return any("checkpoint" in check.fixtures for check in self.checks)


def load_checks(folder: Path, master: Master) -> CheckSet:
    """The checks, mutants and accepted answers in `folder`; AuthoringError with every problem."""
    problems: list[Problem] = []
    checks: list[Check] = []
    probes = _probe_names(folder / "probes.py", problems)
    questions = frozenset(question.name for question in master.assignment.questions)
    for kind in ("public", "hidden"):
        files = sorted((folder / kind).glob("test_*.py"))
        if not files:
            problems.append(Problem(folder / kind, 1, f"there are no {kind} checks; they live in {kind}/test_qN.py."))
        for file in files:
            reader = _FileReader(file, kind, questions, probes)
            checks += reader.read()
            problems += reader.report.problems
    problems += _cross_check(folder, checks, master)
    mutants: tuple[Mutant, ...] = ()
    accepted: tuple[Path, ...] = ()
    with gathering(problems):
        mutants = load_mutants(folder / "mutants.toml", master)
    with gathering(problems):
        accepted = load_accepted(folder / "accepted")
    if problems:
        raise AuthoringError(problems)
    order = {question.name: index for index, question in enumerate(master.assignment.questions)}
    checks.sort(key=lambda check: (order[check.question], check.hidden, check.file, check.line))
    return CheckSet(folder, tuple(checks), mutants, accepted)


class _FileReader:
    """Reads one test file."""

    def __init__(self, file: Path, kind: str, questions: frozenset[str], probes: frozenset[str]) -> None:
        self.file = file
        self.kind = kind
        self.hidden = kind == "hidden"
        self.questions = questions
        self.probes = probes
        self.report = Report(file)

    def read(self) -> list[Check]:
        try:
            tree = ast.parse(self.file.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError, OSError) as error:
            self.report.add(getattr(error, "lineno", None) or 1, f"the file is not Python: {error}.")
            return []
        for node in ast.walk(tree):
            self._look(node)
        if self.hidden:
            self._look_at_shared(tree)
        checks = []
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef) and statement.name.startswith(_TEST_METHODS):
                check = self._check(statement)
                if check:
                    checks.append(check)
            elif isinstance(statement, ast.ClassDef):
                for inner in ast.walk(statement):
                    if isinstance(inner, ast.FunctionDef) and inner.name.startswith(_TEST_METHODS):
                        self.report.add(inner.lineno, "checks are plain functions; this one is inside a class.")
        return checks

    def _look_at_shared(self, tree: ast.Module) -> None:
        """What hidden checks import from public ones keeps to the rules for hidden ones."""
        for node in ast.walk(tree):
            if not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PUBLIC)):
                continue
            file = self.file.parents[1] / "public" / f"{str(node.module).removeprefix(_PUBLIC)}.py"
            try:
                body = ast.parse(file.read_text(encoding="utf-8")).body
            except (SyntaxError, ValueError, OSError):
                self.report.add(node.lineno, f"{file.name} is no public check that could be read.")
                continue
            statements, defined = closure(body, [alias.name for alias in node.names])
            for alias in node.names:
                if alias.name not in defined:
                    self.report.add(node.lineno, f"public/{file.name} does not define `{alias.name}`.")
            shared = _FileReader(file, self.kind, self.questions, self.probes)
            for statement in statements:
                for inner in ast.walk(statement):
                    shared._look(inner)
            self.report.problems += shared.report.problems

    def _check(self, function: ast.FunctionDef) -> Check | None:
        line, name = function.lineno, function.name
        doc = (ast.get_docstring(function) or "").strip()
        if not doc:
            self.report.add(line, f"`{name}` has no docstring; its first line is what students see.")
        arguments = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
        if not self.hidden and "reference" in arguments:
            self.report.add(line, f"`{name}` is public, so there is no reference solution for it.")
        marks = [d for d in function.decorator_list if isinstance(d, ast.Call) and _called(d) == "question"]
        if len(marks) != 1:
            self.report.add(line, f'`{name}` needs exactly one `@question("qN", points=...)`; it has {len(marks)}.')
            return None
        question = _constant(marks[0].args[0]) if len(marks[0].args) == 1 else None
        points = next((_constant(k.value) for k in marks[0].keywords if k.arg == "points"), None)
        mark_line = marks[0].lineno
        if not isinstance(question, str):
            self.report.add(mark_line, "`@question` takes the question's name as a plain string.")
            return None
        if question not in self.questions:
            self.report.add(mark_line, unknown("question", question, self.questions))
            return None
        if isinstance(points, bool) or not isinstance(points, int | float) or points <= 0:
            self.report.add(mark_line, "`points=` must be a plain number above 0.")
            return None
        title = doc.split("\n")[0]
        file = f"{self.kind}/{self.file.name}"
        return Check(name, question, points, title, self.hidden, file, line, tuple(arguments))

    def _look(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assert) and self.hidden:
            self.report.add(node.lineno, "a plain assert would show its values; use expect or assert_matches.")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _STAND_IN.fullmatch(node.value):
            self._look_at_stand_in(node.value.removeprefix(PREFIX), node.lineno)
        if not isinstance(node, ast.Call):
            return
        called = _called(node)
        if self.hidden and called in _SENTENCES:
            sentence = next((k.value for k in node.keywords if k.arg == _SENTENCES[called]), None)
            sentence = node.args[1] if sentence is None and len(node.args) > 1 else sentence
            if sentence is None:
                self.report.add(node.lineno, f"`{called}` needs a sentence for the student.")
            elif not isinstance(_constant(sentence), str):
                self.report.add(
                    sentence.lineno,
                    f"the sentence of `{called}` in a hidden check must be one plain string, so that it "
                    "shows no values; put those into `detail=`.",
                )
        if called == "probe" and isinstance(node.func, ast.Attribute):
            name = _constant(node.args[0]) if node.args else None
            if not isinstance(name, str):
                self.report.add(node.lineno, "`.probe` takes the probe's name as a plain string.")
            elif name not in self.probes:
                self.report.add(node.lineno, f"probes.py does not define `{name}`.")

    def _look_at_stand_in(self, name: str, line: int) -> None:
        if name not in self.probes:
            self.report.add(line, f"probes.py does not define `{name}`.")
        elif not name.lower().startswith(STAND_IN):
            self.report.add(line, f"`{name}` is a stand-in: its name must begin with {STAND_IN}.")


def _cross_check(folder: Path, checks: list[Check], master: Master) -> Iterator[Problem]:
    """What can only be seen with all files together."""
    seen: dict[str, Check] = {}
    totals: dict[str, float] = defaultdict(float)
    for check in checks:
        totals[check.question] += check.points
        if check.name in seen:
            message = f"`{check.name}` is the name of two checks; the other is in {seen[check.name].file}."
            yield Problem(folder / check.file, check.line, message)
        seen.setdefault(check.name, check)
    for question in master.assignment.questions:
        line = master.line_of(question.name)
        if abs(totals[question.name] - question.points) > 1e-9:
            yield Problem(
                master.path,
                line,
                f"{question.name} is worth {question.points:g} points but its checks add up to "
                f"{totals[question.name]:g}.",
            )
        for hidden, kind in ((False, "public"), (True, "hidden")):
            count = sum(check.question == question.name and check.hidden is hidden for check in checks)
            if count < LEAST_CHECKS:
                message = f"{question.name} has {count} {kind} checks; it needs at least {LEAST_CHECKS}."
                yield Problem(master.path, line, message)


def _probe_names(file: Path, problems: list[Problem]) -> frozenset[str]:
    """The functions that probes.py defines; an assignment without probes needs no such file."""
    if not file.exists():
        return frozenset()
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        problems.append(Problem(file, getattr(error, "lineno", None) or 1, f"the file is not Python: {error}."))
        return frozenset()
    return frozenset(s.name for s in tree.body if isinstance(s, ast.FunctionDef | ast.ClassDef))


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _constant(node: ast.AST) -> Any:
    return node.value if isinstance(node, ast.Constant) else None
