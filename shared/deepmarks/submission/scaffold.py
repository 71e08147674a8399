"""Which statements are the course's own scaffolding, or talk to IPython, and have no place in grading."""

from __future__ import annotations

import ast


def is_scaffolding(node: ast.stmt) -> bool:
    """Whether the statement belongs to Otter or Deepmarks, or is the student's own demo."""
    match node:
        case ast.Import(names=names):
            return all(_is_otter(alias.name) for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            return _is_otter(module)
        case ast.Assign(targets=[ast.Name(id="grader")]) | ast.AnnAssign(target=ast.Name(id="grader")):
            return True
        case ast.Expr(value=value):
            return _root(value) == "grader"
        case ast.If(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
            return _is_main(left, right) or _is_main(right, left)
    return False


def is_ipython_call(node: ast.stmt) -> bool:
    """Whether the statement is `get_ipython()...`, alone or assigned."""
    match node:
        case ast.Expr(value=value) | ast.Assign(value=value):
            return _root(value) == "get_ipython"
    return False


def _is_otter(module: str) -> bool:
    return module.split(".")[0] == "otter"


def _is_main(left: ast.expr, right: ast.expr) -> bool:
    match left, right:
        case ast.Name(id="__name__"), ast.Constant(value="__main__"):
            return True
    return False


def _root(value: ast.expr) -> str | None:
    """`a` for `a`, `a.b(...)`, `a().b.c()`; None for everything else."""
    while True:
        match value:
            case ast.Name(id=name):
                return name
            case ast.Call(func=inner) | ast.Attribute(value=inner):
                value = inner
            case _:
                return None
