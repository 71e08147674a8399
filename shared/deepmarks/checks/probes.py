"""An assignment's probes.py: code of the checks that runs beside the student's code, a part at a time.

The student's process never holds more of the probes than the request at hand needs. So nothing can be patched before it
is used, and a stand-in for an earlier question, which is a right answer, is out of reach while that question is asked.
"""

from __future__ import annotations

import ast
import base64
import builtins
import marshal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepmarks.checks.errors import CheckError
from deepmarks.checks.messages import Operation, Request
from deepmarks.submission.names import bound_names

PREFIX = "probes."
"""How a stand-in from probes.py is named, in place of a module: `probes.library_softmax`."""
STAND_IN = "library"
"""How the names of stand-ins begin, in upper or lower case."""
_PACKED = "PACKED"


@dataclass(frozen=True, slots=True)
class Part:
    """What one request needs of the probes."""

    code: bytes
    """Compiled Python, as `marshal` writes it."""
    stand_ins: frozenset[str]
    """The stand-ins in it."""


class Probes:
    """The probes of an assignment, read but not executed.

    Raises CheckError where the source is not Python.
    """

    def __init__(self, source: str = "") -> None:
        try:
            body = ast.parse(source, "probes.py").body
        except (SyntaxError, ValueError) as error:
            raise CheckError(f"probes.py is not Python: {error}") from error
        self._body = body
        self._futures = [s for s in body if isinstance(s, ast.ImportFrom) and s.module == "__future__"]
        self._parts: dict[tuple[str, ...], Part] = {}

    @classmethod
    def read(cls, file: Path | None) -> Probes:
        """The probes in `file`, plain or packed; none where there is no such file."""
        if file is None or not file.is_file():
            return cls()
        source = file.read_text("utf-8")
        return cls(unpacked(source) if f"\n{_PACKED} =" in source else source)

    def needed(self, request: Request) -> Part | None:
        """What `request` needs; None if that is nothing. CheckError for a name that the probes do not define."""
        stand_ins = (request.options.get("stand_in") or {}).values()
        names = {dotted.removeprefix(PREFIX) for dotted in stand_ins if dotted.startswith(PREFIX)}
        if request.operation is Operation.PROBE:
            names.add(request.name)
        return self._part(tuple(sorted(names))) if names else None

    def _part(self, names: tuple[str, ...]) -> Part:
        if names not in self._parts:
            statements, within = closure(self._body, names)
            for name in names:
                if name not in within:
                    raise CheckError(f"probes.py does not define {name}")
            rest = [statement for statement in statements if statement not in self._futures]
            code = compile(ast.Module([*self._futures, *rest], []), "probes.py", "exec")
            stand_ins = frozenset(name for name in within if name.lower().startswith(STAND_IN))
            self._parts[names] = Part(marshal.dumps(code), stand_ins)
        return self._parts[names]


def closure(body: Sequence[ast.stmt], names: Iterable[str]) -> tuple[list[ast.stmt], set[str]]:
    """The statements of a module that `names` rest on, in their order, and all names that these define."""
    bound = [frozenset(bound_names(statement)) for statement in body]
    todo, within, chosen = list(names), set[str](), set[int]()
    while todo:
        name = todo.pop()
        for place, statement in enumerate(body):
            if name in bound[place] and place not in chosen:
                chosen.add(place)
                within |= bound[place]
                todo += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return [body[place] for place in sorted(chosen)], within


def executed(code: bytes | None) -> dict[str, Any]:
    """The names that a part of the probes defines, in a module of their own."""
    namespace: dict[str, Any] = {"__name__": "probes", "__builtins__": builtins}
    if code is not None:
        exec(marshal.loads(code), namespace)
    return namespace


def packed(source: bytes) -> bytes:
    """probes.py as students get it. Some probes stand in for earlier questions, so they hold answers.

    This keeps an answer from being read by accident, and no more: the checks must be able to run it.
    """
    if not source:
        return b""
    lines = base64.encodebytes(source).decode()
    return f'''"""What the checks run beside your code; packed, since it answers questions."""

{_PACKED} = """
{lines}"""
'''.encode()


def unpacked(text: str) -> str:
    """The source in what `packed` made; CheckError if it is nothing of that kind."""
    try:
        return base64.b64decode(text.partition(f'{_PACKED} = """')[2].rstrip().removesuffix('"""')).decode()
    except ValueError as error:
        raise CheckError(f"probes.py cannot be unpacked: {error}") from error
