"""Which names a stretch of code defines, read from its syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from deepmarks_grader.authoring.markers import Line
from deepmarks_grader.authoring.problems import Report

_MAGIC = re.compile(r"^(\s*)([%!?])")


def parse_lines(lines: Sequence[Line], report: Report, view: str) -> ast.Module | None:
    """The tree of one view of a cell; a syntax error is reported at its line of the master."""
    text = "\n".join(_MAGIC.sub(r"\1pass  # \2", line) for _, line in lines)
    try:
        return ast.parse(text)
    except SyntaxError as error:
        number = lines[min(max((error.lineno or 1) - 1, 0), len(lines) - 1)][0] if lines else 1
        report.add(number, f"the {view} is not Python here: {error.msg}.")
        return None


def definitions(trees: Iterable[ast.Module]) -> dict[str, str]:
    """The names bound at top level, each with a dump of its last binding."""
    found: dict[str, str] = {}
    for tree in trees:
        for statement in _statements(tree.body):
            for name in _bound(statement):
                found[name] = ast.dump(statement)
    return found


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of `body` and of what runs in the same scope."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.For | ast.While | ast.With | ast.Try):
            for field in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, field, []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)


def _bound(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
        case ast.Assign():
            yield from _names(statement.targets)
        case ast.AnnAssign() if statement.value is not None:
            yield from _names([statement.target])


def _names(targets: Iterable[ast.expr]) -> Iterator[str]:
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                yield node.id
