"""Which names a submission defines, and with what source."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from deepmarks.submission.records import Submission

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def definitions(submission: Submission) -> dict[str, str]:
    """The source of the last top-level statement that binds each name.

    Imports count, and so do bindings inside a top-level `if`, `try`, `for` or `with`: the whole statement is
    the source then. Star imports, `setattr` and changes of attributes (`Net.forward = ...`) bind no name.
    """
    found: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for unit in submission.units:
            if unit.error is None:
                for node in ast.parse(unit.source).body:
                    found.update(dict.fromkeys(bound_names(node), unit.source))
    return found


def bound_names(root: ast.AST) -> Iterator[str]:
    """The names that `root` binds in its own scope."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name.split(".")[0] for alias in names if alias.name != "*")
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
        if not isinstance(node, _SCOPES + _COMPREHENSIONS) and not _only_declares(node):
            waiting.extend(ast.iter_child_nodes(node))


def _only_declares(node: ast.AST) -> bool:
    """Whether this is `x: int`, which binds nothing."""
    return isinstance(node, ast.AnnAssign) and node.value is None
