"""One cell or file of source text to units."""

from __future__ import annotations
import __future__

import ast
import re
from dataclasses import dataclass, field

from deepmarks.submission.records import SCRIPT_FILENAME, Unit, printable
from deepmarks.submission.scaffold import is_ipython_call, is_scaffolding
from deepmarks.submission.statements import Problem, compile_problem, split

_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
# These run the rest of the cell as Python in the notebook's own namespace.
_TRANSPARENT_MAGICS = {"time", "timeit", "capture"}

_BAD_CHARACTER = re.compile(r"invalid (?:non-printable )?character.*U\+([0-9A-F]{4,6})")
_CHARACTERS = {
    **dict.fromkeys("“”„‟‘’‚‛«»", ("a curly quote", "type the straight quotes ' or \"")),
    **dict.fromkeys("\u00a0\u2007\u202f", ("a non-breaking space", "type an ordinary space")),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ("an invisible character", "delete it")),
    **dict.fromkeys("–—−", ("a long dash", "type the minus sign -")),
    **dict.fromkeys("×·", ("a multiplication sign", "type *")),
    "\ufffd": ("a character that could not be decoded", "save the file as UTF-8"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of source with its place in the file."""

    source: str
    number: int
    """Code cells count from 1; 0 for a plain script."""
    first_line: int = 1
    """The number that the source's first line has in tracebacks."""
    filename: str = SCRIPT_FILENAME
    label: str = ""
    """Every unit's label; empty for `cell N` or `line N`."""

    @property
    def place(self) -> str:
        """What messages call it: `cell 3` or `the file`."""
        return self.label or ("the file" if self.filename == SCRIPT_FILENAME else f"cell {self.number}")


@dataclass(slots=True)
class Reader:
    """Turns cells into units, one after the other, and remembers what they need to know of each other."""

    units: list[Unit] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    flags: int = 0

    def read(self, cell: Cell) -> None:
        """Append the units of `cell`."""
        source = cell.source
        if cell.number:
            unmagical = self._without_cell_magic(cell)
            if unmagical is None:
                return
            source = _dedented(unmagical)
        dropped: list[tuple[int, str]] = []
        for piece in split(source, dropped):
            problem = piece.problem
            if piece.node is not None:
                if is_scaffolding(piece.node):
                    continue
                if is_ipython_call(piece.node):
                    self._left_out(cell, piece.line, piece.source.split("\n")[0])
                    continue
                self.flags |= _future_flags(piece.node)
                problem = compile_problem(piece.node, self.flags)
            line = cell.first_line + piece.line - 1
            label = cell.label or (f"cell {cell.number}" if cell.number else f"line {line}")
            error = None if problem is None else self._error(cell, problem)
            self.units.append(Unit(piece.source, label, line, error, cell.number, cell.filename, self.flags))
        for line, text in dropped:
            self._left_out(cell, line, text)

    def _without_cell_magic(self, cell: Cell) -> str | None:
        """The cell's source without `%%magic`; None if all of it is for that magic."""
        lines = cell.source.split("\n")
        for index, line in enumerate(lines):
            found = _CELL_MAGIC.match(line)
            if found is not None:
                if found[1] not in _TRANSPARENT_MAGICS:
                    self.notices.append(
                        f"Cell {cell.number} starts with %%{printable(found[1], 40)}, which is for Jupyter; "
                        "the whole cell was left out."
                    )
                    return None
                self._left_out(cell, index + 1, line)
                lines[index] = ""
            elif not line.strip():
                continue
            return "\n".join(lines)
        return cell.source

    def _left_out(self, cell: Cell, line: int, text: str) -> None:
        where = f"{_capital(cell.place)}, line {cell.first_line + line - 1}"
        self.notices.append(f"{where}: {printable(text.strip(), 60)} is for Jupyter only; it was left out.")

    def _error(self, cell: Cell, problem: Problem) -> str:
        line = cell.first_line + problem.line - 1
        found = _BAD_CHARACTER.search(problem.message)
        if found is not None:
            character = chr(int(found[1], 16))
            what, remedy = _CHARACTERS.get(character, (f"the character U+{found[1]}", "delete it"))
            self.notices.append(
                f"{_capital(cell.place)}, line {line} holds {what}, which Python does not accept: {remedy}."
            )
        return f"{cell.place} has a syntax error in line {line}: {printable(problem.message)}"


def _future_flags(node: ast.stmt) -> int:
    """`from __future__ import annotations` holds for later statements, too; the others are law already."""
    match node:
        case ast.ImportFrom(module="__future__", names=names) if any(a.name == "annotations" for a in names):
            return __future__.annotations.compiler_flag
    return 0


def _dedented(source: str) -> str:
    """`source` without the indentation of its first line, as IPython reads a cell."""
    lines = source.split("\n")
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    indent = first[: len(first) - len(first.lstrip(" \t"))]
    return "\n".join(line.removeprefix(indent) for line in lines) if indent else source


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
