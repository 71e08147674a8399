"""A percent-format script as notebook cells that know their line, and code cells as such a script again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from deepmarks_grader.authoring.problems import Report

_FORMAT = {"extension": ".py", "format_name": "percent"}
_HEADER = re.compile(r"\A# ---\n(?:#.*\n)*?# ---[ \t]*\n")
_MARKER = re.compile(r"^# ?%%(?:%*\s.*)?$")


class CellKind(StrEnum):
    """The kinds of cell that a notebook has."""

    CODE = "code"
    MARKDOWN = "markdown"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the master, its text as it stands in the notebook."""

    kind: CellKind
    source: str
    line: int
    """The line of the script that holds the first line of `source`."""
    tags: tuple[str, ...] = ()

    @property
    def lines(self) -> list[tuple[int, str]]:
        """Every line of the cell with its number in the script."""
        return list(enumerate(self.source.split("\n"), self.line))


def read_cells(text: str, report: Report) -> tuple[Cell, ...]:
    """The cells of a percent-format script; what cannot be read is added to `report`."""
    import jupytext  # takes a second, and only building needs it

    header = _HEADER.match(text)
    # The header only says how to read the file, and that is settled here.
    offset = header.group().count("\n") if header else 0
    lines = text.split("\n")[offset:]
    markers = [number for number, line in enumerate(lines, offset + 1) if _MARKER.match(line)]
    if not markers:
        report.add(1, "there is no cell; a cell starts with a line `# %%`.")
        return ()
    for number, line in enumerate(lines, offset + 1):
        if number < markers[0] and line.strip():
            report.add(number, "this line stands before the first cell; cells start with `# %%`.")
            return ()
    notebook = jupytext.reads("\n".join(lines[markers[0] - offset - 1 :]), fmt=_FORMAT)
    if len(notebook.cells) != len(markers):
        report.add(
            _first_unpaired(markers, [cell.source for cell in notebook.cells], lines, offset),
            "cells cannot be told apart near here; does a line inside a string start with `# %%`?",
        )
        return ()
    return tuple(
        Cell(CellKind(cell.cell_type), cell.source, marker + 1, tuple(cell.metadata.get("tags", ())))
        for cell, marker in zip(notebook.cells, markers, strict=True)
    )


def _first_unpaired(markers: Sequence[int], sources: Sequence[str], lines: Sequence[str], offset: int) -> int:
    for marker, source in zip(markers, sources, strict=False):
        inside = lines[marker - offset : marker - offset + source.count("\n") + 1]
        if any(_MARKER.match(line) for line in inside):
            return marker
    return markers[min(len(markers), len(sources)) - 1]


def write_code_cells(cells: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    """Percent-format text of code cells, each given as source and tags; notebook magics become comments."""
    import jupytext
    import nbformat

    notebook = nbformat.v4.new_notebook(
        metadata={"jupytext": {"notebook_metadata_filter": "-all", "cell_metadata_filter": "tags,-all"}}
    )
    for source, tags in cells:
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {}))
    return str(jupytext.writes(notebook, fmt=_FORMAT)).rstrip("\n") + "\n"
