"""Known wrong answers, and unusual right ones, that the checks must tell apart."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepmarks_grader.authoring.master import Master
from deepmarks_grader.authoring.problems import AuthoringError, Problem, Report, unknown

LEAST_MUTANTS = 4
"""For each question."""
MOST_WITHOUT_SENTENCE = 0.2
"""The part of the mutants for which the feedback need not name the mistake."""
_KEYS = frozenset({"name", "question", "mistake", "says", "code", "replace", "checkpoint"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """A known wrong answer: the reference solution with one typical mistake."""

    name: str
    question: str
    """Where it loses points; it loses none in earlier questions."""
    mistake: str
    says: str
    """Part of a sentence that the student then reads; empty if the mistake need not be named."""
    code: str = ""
    """One more cell that defines something anew."""
    replace: tuple[tuple[str, str], ...] = ()
    """Or changes of the solution's text."""
    line: int = 1
    checkpoint: str = "reference"
    """Which weights are handed in: the reference's, "none", or a kind that the assignment's checkpoints.py makes."""

    def apply(self, solution: str) -> str:
        """The submission that a student with this mistake would hand in, in percent format."""
        for old, new in self.replace:
            solution = solution.replace(old, new)
        return append_cell(solution, self.code) if self.code else solution


def append_cell(solution: str, code: str) -> str:
    """`solution` with one more code cell, whose definitions override earlier ones."""
    return f"{solution.rstrip()}\n\n# %%\n{code.strip(chr(10))}\n"


def load_accepted(folder: Path) -> tuple[Path, ...]:
    """The unusual right answers in `folder`; AuthoringError if one is no Python or has no comment."""
    if not folder.is_dir():
        raise AuthoringError([Problem(folder, 1, "the folder of accepted answers is missing.")])
    problems = []
    files = sorted(folder.glob("*.py"))
    for file in files:
        text = file.read_text(encoding="utf-8")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            problems.append(Problem(file, line, f"the file is not Python: {error}."))
        if not re.match(r"#\s*\w", text):
            problems.append(Problem(file, 1, "the first line must be a comment that says what is unusual here."))
    if problems:
        raise AuthoringError(problems)
    return tuple(files)


def load_mutants(file: Path, master: Master) -> tuple[Mutant, ...]:
    """The mutants in `file`; AuthoringError with every problem."""
    report = Report(file)
    try:
        text = file.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError:
        report.add(1, "the file of known wrong answers is missing.")
    except ValueError as error:
        place = re.search(r"at line (\d+)", str(error))
        report.add(int(place.group(1)) if place else 1, f"this is not TOML: {error}.")
    report.raise_if_any()
    lines = [number for number, line in enumerate(text.split("\n"), 1) if line.strip().startswith("[[mutant]]")]
    for key in data.keys() - {"mutant"}:
        report.add(1, unknown("table", key, ["mutant"]))
    entries = data.get("mutant", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        report.add(1, "mutants are written as `[[mutant]]` tables.")
        entries = []
    if len(lines) != len(entries):
        lines = [1] * len(entries)
    mutants: list[Mutant] = []
    for line, entry in zip(lines, entries, strict=True):
        mutant = _mutant(entry, line, master, report)
        if mutant.name in {other.name for other in mutants}:
            report.add(line, f"`{mutant.name}` is the name of two mutants.")
        mutants.append(mutant)
    for question in master.assignment.questions:
        count = sum(mutant.question == question.name for mutant in mutants)
        if count < LEAST_MUTANTS:
            report.add(1, f"{question.name} has {count} mutants; it needs at least {LEAST_MUTANTS}.")
    silent = sum(not mutant.says for mutant in mutants)
    if mutants and silent > MOST_WITHOUT_SENTENCE * len(mutants):
        report.add(1, f"{silent} of {len(mutants)} mutants have an empty `says`; at most a fifth may.")
    report.raise_if_any()
    return tuple(mutants)


def _mutant(entry: dict[str, Any], line: int, master: Master, report: Report) -> Mutant:
    for key in entry.keys() - _KEYS:
        report.add(line, unknown("key", key, _KEYS))
    texts = {}
    for key in ("name", "question", "mistake", "says"):
        value = entry.get(key)
        texts[key] = value if isinstance(value, str) else ""
        if not isinstance(value, str) or not (value.strip() or key == "says"):
            report.add(line, f"`{key}` must be a text.")
    questions = [question.name for question in master.assignment.questions]
    if texts["question"] and texts["question"] not in questions:
        report.add(line, unknown("question", texts["question"], questions))
    changes = ("code" in entry) + ("replace" in entry)
    if changes > 1 or not (changes or "checkpoint" in entry):
        report.add(line, "a mutant has either `code` or `replace`, or another `checkpoint`.")
    checkpoint = entry.get("checkpoint", "reference")
    if not isinstance(checkpoint, str) or not re.fullmatch(r"[a-z0-9_]+", checkpoint):
        report.add(line, "`checkpoint` must be a name in small letters.")
        checkpoint = "reference"
    code, pairs = entry.get("code", ""), entry.get("replace", [])
    if not isinstance(code, str):
        report.add(line, "`code` must be a text.")
        code = ""
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in pairs
    ):
        report.add(line, '`replace` must be a list of ["old text", "new text"].')
        pairs = []
    changed = master.solution_source
    for old, new in pairs:
        count = changed.count(old) if old else 0
        if count != 1:
            report.add(
                line,
                f"`{old.strip().splitlines()[0] if old.strip() else old}` stands {count} times in the "
                "solution; it must stand there once.",
            )
        changed = changed.replace(old, new)
    replaced = tuple((old, new) for old, new in pairs)
    mutant = Mutant(**texts, code=code, replace=replaced, line=line, checkpoint=checkpoint)
    try:
        ast.parse(mutant.apply(master.solution_source))
    except (SyntaxError, ValueError) as error:
        report.add(line, f"the mutant is not Python: {error}.")
    return mutant
