"""Source text to top-level statements, losing as little as possible where the text is not Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from deepmarks.submission import limits
from deepmarks.submission.lines import LineState, in_column_0, is_branch, is_ipython, is_strong

_DOTTED = re.compile(r"(?:\.[ \t]*\w+[ \t\\\n]*)+")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a stretch of text is no Python."""

    message: str
    line: int
    """Counted from 1 within the text that was split."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A statement (`node` is set) or a stretch that does not parse (`problem` is set)."""

    source: str
    line: int
    """First line, counted from 1 within the text that was split."""
    node: ast.stmt | None
    problem: Problem | None


def split(text: str, dropped: list[tuple[int, str]]) -> Iterator[Piece]:
    r"""The top-level statements of `text` (line ends \n), in their order.

    Lines that only IPython understands are appended to `dropped`, with their numbers. Never raises. Time is
    linear in the length; memory holds the tree of one block at a time, or of a short text.
    """
    parsed = parse(text) if len(text) <= limits.WHOLE_CHARS else None
    if isinstance(parsed, list):
        yield from _pieces(parsed, text.split("\n"), 0)
    else:
        yield from _Recovery(text, dropped).run()


def parse(text: str) -> list[ast.stmt] | Problem:
    """The statements of `text`, or what is wrong with it."""
    if any(found[0].count(".") > limits.DOTTED_NAMES for found in _DOTTED.finditer(text)):
        return Problem(f"a dotted name has more than {limits.DOTTED_NAMES:,} parts", 1)
    try:
        return ast.parse(text).body
    except SyntaxError as error:
        return Problem(error.msg, error.lineno or 1)
    except (RecursionError, MemoryError):
        return Problem("it is nested too deeply", 1)
    except (ValueError, OverflowError, SystemError) as error:
        return Problem(str(error), 1)


def compile_problem(node: ast.stmt, flags: int) -> Problem | None:
    """What only the compiler finds (`return` outside a function), or None."""
    try:
        compile(ast.Module([node], []), "submission", "exec", flags=flags, dont_inherit=True)
    except SyntaxError as error:
        return Problem(error.msg, error.lineno or node.lineno)
    except (RecursionError, MemoryError):
        return Problem("it is nested too deeply", node.lineno)
    except (ValueError, OverflowError, SystemError) as error:
        return Problem(str(error), node.lineno)
    return None


def _pieces(statements: list[ast.stmt], lines: list[str], offset: int) -> list[Piece]:
    """One piece per statement of `lines`, which begin `offset` lines into the text."""
    encoded = [line.encode() for line in lines]  # the tree counts columns in bytes of UTF-8
    pieces = []
    for node in statements:
        decorators = getattr(node, "decorator_list", [])
        start, column = (decorators[0].lineno, 0) if decorators else (node.lineno, node.col_offset)
        end, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        if start == end:
            source = encoded[start - 1][column:end_column]
        else:
            middle = encoded[start : end - 1]
            source = b"\n".join([encoded[start - 1][column:], *middle, encoded[end - 1][:end_column]])
        if offset:
            ast.increment_lineno(node, offset)
        pieces.append(Piece(source.decode(), offset + start, node, None))
    return pieces


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines from one statement's start to the next, as far as open brackets and strings let it go on."""

    lines: list[str]
    dropped: list[tuple[int, str]]
    first: int | None
    """The first line at which a statement could start although something is still open."""
    strong: int | None
    """The same for a definition or an import."""
    closed: bool
    """Whether everything is closed at the end."""


class _Recovery:
    """Splits text that does not parse as a whole, at lines that start in column 0."""

    def __init__(self, text: str, dropped: list[tuple[int, str]]) -> None:
        self.lines = text.split("\n")
        self.dropped = dropped
        self.ready: list[Piece] = []
        self.bad: tuple[int, int, Problem] | None = None  # lines of the error that is growing
        # Each unclosed bracket makes the search run ahead of what is settled; the sum of that is bounded.
        self.budget = 200_000 + 4 * len(text)

    def run(self) -> Iterator[Piece]:
        position = 0
        while position < len(self.lines):
            line = self.lines[position]
            if not line.strip() or line.lstrip().startswith("#"):
                position += 1
            elif is_ipython(line):
                end = self._magic_end(position)
                self.dropped.append((position + 1, line.strip()))
                position = end
            else:
                position = self._settle(position)
                yield from self.ready
                self.ready = []
        self._flush()
        yield from self.ready

    def _magic_end(self, position: int) -> int:
        """The line after a magic, which may go on after a backslash."""
        while position < len(self.lines) - 1 and self.lines[position].endswith("\\"):
            position += 1
        return position + 1

    def _settle(self, start: int) -> int:
        """Read the block at `start` and return where the next one begins."""
        block = self._block(start)
        size = len(block.lines)
        parsed = parse("\n".join(block.lines))
        if isinstance(parsed, Problem) and block.first is not None:
            # Unclosed to the end: nothing after the first line belongs to it. Closed, but wrong inside: the
            # text of a long string must not be taken for statements, yet a definition may be saved.
            boundary = (block.strong or start + size) if block.closed else block.first
            if boundary < start + size:
                size = boundary - start
                parsed = parse("\n".join(block.lines[:size]))
        self.dropped.extend(drop for drop in block.dropped if drop[0] <= start + size)
        if isinstance(parsed, Problem):
            self._blame(start, start + size, Problem(parsed.message, start + parsed.line))
        else:
            self._flush()
            self.ready.extend(_pieces(parsed, block.lines[:size], start))
        return start + size

    def _blame(self, start: int, end: int, problem: Problem) -> None:
        """Mark lines as no Python; what follows directly and is no definition joins the same piece."""
        if self.bad is not None and not is_strong(self.lines[start]):
            self.bad = (self.bad[0], end, self.bad[2])
            return
        self._flush()
        self.bad = (start, end, problem)

    def _flush(self) -> None:
        if self.bad is not None:
            start, end, problem = self.bad
            source = "\n".join(self.lines[start:end]).rstrip()
            self.ready.append(Piece(source, start + 1, None, problem))
            self.bad = None

    def _block(self, start: int) -> _Block:
        state = LineState()
        lines: list[str] = []
        dropped: list[tuple[int, str]] = []
        first = strong = None
        decorated = self.lines[start].startswith("@")
        definition = is_strong(self.lines[start])
        position = start
        while position < len(self.lines):
            line = self.lines[position]
            fresh = state.clean
            if position > start and in_column_0(line):
                if fresh and decorated:
                    decorated = line.startswith("@")
                elif fresh and (definition or not is_branch(line)):
                    break
                elif not fresh and line[0] not in ")]}":
                    first = position if first is None else first
                    if is_strong(line):
                        strong = position if strong is None else strong
                        if not state.quote:
                            break  # no bracket can hold a definition: it was never closed
                    if self.budget <= 0:
                        break
            if first is not None:
                self.budget -= len(line) + 1
            if fresh and position > start and is_ipython(line):
                dropped.append((position + 1, line.strip()))
                line = line[: len(line) - len(line.lstrip())] + "pass"
            else:
                state.feed(line)
            lines.append(line)
            position += 1
        return _Block(lines, dropped, first, strong, state.clean)
