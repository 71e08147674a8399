"""Read `solutions/<slug>/master.py`, the single source of an assignment.

The master is a notebook in jupytext's percent format with Otter Assign's markers. Everything that is wrong
with it is found before anything is built, and reported at once.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

from deepmarks.manifest import Assignment, Question
from deepmarks_grader.authoring.bindings import definitions, parse_lines
from deepmarks_grader.authoring.config import Config
from deepmarks_grader.authoring.markers import Line, split_views
from deepmarks_grader.authoring.percent import Cell, CellKind, read_cells, write_code_cells
from deepmarks_grader.authoring.problems import Report, unknown

ASSIGNMENT_KEYS = frozenset({"slug", "title", "limits", "forbid", "extras"})
QUESTION_KEYS = frozenset({"name", "title", "points", "names", "hints", "forbid"})
TOTAL_POINTS = 20
"""Every assignment is worth the same, so that they weigh the same in the course."""
HINTS = 3
"""A nudge, a step, nearly the answer."""
IGNORE_TAG = "otter_ignore"
"""Cells with this tag are for the notebook only; grading skips them."""

_BOUNDARY = re.compile(r"^#\s*(?:(ASSIGNMENT CONFIG)|(BEGIN|END) (QUESTION|SOLUTION))\s*$")
_QUESTION_NAME = re.compile(r"^q[1-9]\d*$")
_GRADER = re.compile(r"""\bdeepmarks\.Notebook\(\s*(?:["']([^"']*)["'])?""")


@dataclass(frozen=True, slots=True)
class Master:
    """A master that is sound in itself."""

    path: Path
    assignment: Assignment
    cells: tuple[Cell, ...]
    """All cells, those with markers included."""
    solution_source: str
    """The reference that the grader runs: percent-format code cells with solutions, without prompts."""
    skeleton_source: str
    """The same cells as the student receives them."""
    skeleton_cells: tuple[str, ...]
    """The code cells that students receive, apart from those that are ignored."""
    question_lines: tuple[tuple[str, int], ...]
    """Where each question begins."""
    extras: tuple[str, ...] = ()
    """Optional dependencies of pyproject.toml that this assignment needs."""

    def line_of(self, question: str) -> int:
        """The line where `question` begins."""
        return dict(self.question_lines).get(question, 1)


@dataclass(slots=True)
class _Block:
    """A question while it is read."""

    config: Config
    line: int
    has_prompt: bool = False
    solution: list[ast.Module] = field(default_factory=list)
    skeleton: list[ast.Module] = field(default_factory=list)


def load_master(path: Path) -> Master:
    """The master in the file `path`; AuthoringError with every problem if it is not sound."""
    report = Report(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        report.add(1, f"the master cannot be read: {error}.")
        report.raise_if_any()
        raise
    cells = read_cells(text, report)
    report.raise_if_any()
    return _Reader(path, cells, report).read()


class _Reader:
    """Walks the cells once, in order."""

    def __init__(self, path: Path, cells: tuple[Cell, ...], report: Report) -> None:
        self.path = path
        self.cells = cells
        self.report = report
        self.config: Config | None = None
        self.blocks: list[_Block] = []
        self.question: _Block | None = None
        self.solution_line = 0
        self.solution_cells: list[tuple[str, tuple[str, ...]]] = []
        self.skeleton_cells: list[tuple[str, tuple[str, ...]]] = []
        self.graders: list[tuple[int, str]] = []

    def read(self) -> Master:
        for cell in self.cells:
            if cell.kind is CellKind.RAW:
                self._raw(cell)
            elif cell.kind is CellKind.CODE:
                self._code(cell)
        if self.solution_line:
            self.report.add(self.solution_line, "this solution block never ends; `# END SOLUTION` is missing.")
        if self.question:
            self.report.add(self.question.line, "this question never ends; `# END QUESTION` is missing.")
        assignment = self._assignment()
        self.report.raise_if_any()
        return Master(
            self.path,
            assignment,
            self.cells,
            write_code_cells(self.solution_cells),
            write_code_cells(self.skeleton_cells),
            tuple(source for source, _ in self.skeleton_cells),
            tuple((str(block.config.text("name")), block.line) for block in self.blocks),
            self.config.texts("extras") if self.config else (),
        )

    # ------------------------------------------------------------------- cells

    def _raw(self, cell: Cell) -> None:
        match = _BOUNDARY.match(cell.source.split("\n")[0])
        if match is None:
            first = cell.source.split("\n")[0].strip().removeprefix("#").strip()
            marks = ["ASSIGNMENT CONFIG", "BEGIN QUESTION", "END QUESTION", "BEGIN SOLUTION", "END SOLUTION"]
            self.report.add(cell.line, "raw cells hold markers only: " + unknown("marker", first, marks))
            return
        config, edge, thing = match.groups()
        if config:
            if self.config is not None:
                self.report.add(cell.line, "there is a second ASSIGNMENT CONFIG.")
            if self.blocks:
                self.report.add(cell.line, "ASSIGNMENT CONFIG must come before the first question.")
            self.config = Config(cell, ASSIGNMENT_KEYS, self.report)
        elif thing == "QUESTION":
            self._question_edge(cell, edge == "BEGIN")
        else:
            self._solution_edge(cell, edge == "BEGIN")

    def _question_edge(self, cell: Cell, begins: bool) -> None:
        if self.solution_line:
            self.report.add(self.solution_line, "this solution block never ends; `# END SOLUTION` is missing.")
            self.solution_line = 0
        if not begins:
            if self.question is None:
                self.report.add(cell.line, "a question ends here that did not begin.")
            self.question = None
            return
        if self.question:
            self.report.add(self.question.line, "this question never ends; `# END QUESTION` is missing.")
        self.question = _Block(Config(cell, QUESTION_KEYS, self.report), cell.line)
        self.blocks.append(self.question)

    def _solution_edge(self, cell: Cell, begins: bool) -> None:
        if begins:
            if self.question is None:
                self.report.add(cell.line, "a solution block begins outside a question.")
            if self.solution_line:
                self.report.add(self.solution_line, "this solution block never ends; `# END SOLUTION` is missing.")
            self.solution_line = cell.line
        else:
            if not self.solution_line:
                self.report.add(cell.line, "a solution block ends here that did not begin.")
            self.solution_line = 0

    def _code(self, cell: Cell) -> None:
        grader = _GRADER.search(cell.source)
        if grader:
            self.graders.append((cell.line + cell.source[: grader.start()].count("\n"), grader.group(1) or ""))
        views = split_views(cell, self.report, markers_allowed=bool(self.solution_line))
        solution = parse_lines(views.solution, self.report, "solution")
        skeleton = parse_lines(views.skeleton, self.report, "skeleton")
        if self.question and solution and skeleton and IGNORE_TAG not in cell.tags:
            self.question.has_prompt |= views.has_prompt
            self.question.solution.append(solution)
            self.question.skeleton.append(skeleton)
        if grader or IGNORE_TAG in cell.tags:
            return
        for lines, into in ((views.solution, self.solution_cells), (views.skeleton, self.skeleton_cells)):
            source = _text(lines)
            if source:
                into.append((source, cell.tags))

    # ---------------------------------------------------------------- settings

    def _assignment(self) -> Assignment:
        report, config = self.report, self.config
        folder = self.path.resolve().parent.name
        if config is None:
            report.add(1, "there is no raw cell `# ASSIGNMENT CONFIG`.")
            config = Config(Cell(CellKind.RAW, f"slug: {folder}\ntitle: none", 1), ASSIGNMENT_KEYS, report)
        slug = config.text("slug") or ""
        if config.has("slug") and slug and slug != folder:
            report.add(config.line_of("slug"), f"the slug is `{slug}` but the folder is `{folder}`.")
        self._check_grader(slug)
        forbid = self._groups(config)
        questions = [self._question(block, forbid) for block in self.blocks]
        if not questions:
            report.add(1, "there is no question.")
        elif all(question.points > 0 for question in questions):
            total = sum(question.points for question in questions)
            if abs(total - TOTAL_POINTS) > 1e-9:
                report.add(config.line, f"the questions' points add up to {total:g}; it must be {TOTAL_POINTS}.")
        return Assignment(slug, config.text("title") or "", tuple(questions), config.limits())

    def _check_grader(self, slug: str) -> None:
        if not self.graders:
            self.report.add(1, f'no cell says `grader = deepmarks.Notebook("{slug}")`; students need it once.')
        for position, (line, named) in enumerate(self.graders):
            if position:
                self.report.add(line, "there is a second `deepmarks.Notebook(...)`; once is enough.")
            elif named != slug:
                self.report.add(line, f'`deepmarks.Notebook("{named}")` does not name this assignment, `{slug}`.')

    def _question(self, block: _Block, forbid: tuple[str, ...]) -> Question:
        report, config = self.report, block.config
        name = config.text("name") or ""
        if name and not _QUESTION_NAME.match(name):
            report.add(config.line_of("name"), f"`{name}` is no question name; they are q1, q2, ...")
        for other in self.blocks[: self.blocks.index(block)]:
            if name and other.config.has("name") and other.config.text("name") == name:
                report.add(config.line_of("name"), f"`{name}` is the name of two questions.")
        names = config.texts("names")
        if not names:
            report.add(config.line_of("names"), "`names` must list what the student defines here.")
        self._check_names(block, names)
        hints = config.texts("hints")
        if len(hints) != HINTS:
            report.add(config.line_of("hints"), f"there must be exactly {HINTS} hints; here are {len(hints)}.")
        groups = tuple(dict.fromkeys((*forbid, *self._groups(config))))
        return Question(name, config.text("title") or "", config.number("points") or 0, names, hints, groups)

    def _check_names(self, block: _Block, names: tuple[str, ...]) -> None:
        report, line = self.report, block.config.line_of("names")
        if not block.has_prompt:
            report.add(block.line, 'this question has no stub; add `""" # BEGIN PROMPT` ... `"""; # END PROMPT`.')
        solution, skeleton = definitions(block.solution), definitions(block.skeleton)
        for name in names:
            for other in self.blocks[: self.blocks.index(block)]:
                if name in other.config.texts("names"):
                    report.add(
                        line,
                        f"`{name}` is asked for in two questions; the later one would replace the first.",
                    )
            if name not in solution:
                report.add(line, f"the solution of this question does not define `{name}`.")
            elif name not in skeleton:
                report.add(line, f"the skeleton of this question has no stub for `{name}`.")
            elif block.has_prompt and solution[name] == skeleton[name]:
                report.add(line, f"the skeleton still holds the solution of `{name}`.")

    def _groups(self, config: Config) -> tuple[str, ...]:
        groups = config.texts("forbid")
        known = _policy_groups()
        for group in groups:
            if known is not None and group not in known:
                self.report.add(config.line_of("forbid"), unknown("policy group", group, known))
        return groups


def _policy_groups() -> frozenset[str] | None:
    # Late, because the policy's table brings the checks engine with it.
    from deepmarks.checks.policy import GROUPS

    return frozenset(GROUPS)


def _text(lines: list[Line]) -> str:
    return "\n".join(line.rstrip() for _, line in lines).strip("\n")
