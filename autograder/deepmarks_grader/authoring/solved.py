"""The notebook with its solutions, as instructors read it and run it in front of a class."""

from __future__ import annotations

from typing import Any

from deepmarks_grader.authoring.markers import split_views
from deepmarks_grader.authoring.master import Master
from deepmarks_grader.authoring.otter import METADATA, dump_notebook
from deepmarks_grader.authoring.percent import CellKind
from deepmarks_grader.authoring.problems import Report


def solved_notebook(master: Master) -> str:
    """The student's notebook with every stub solved, as JSON text; nothing in it has been run.

    It runs from top to bottom in the student's folder, checks included.
    """
    import nbformat.v4 as v4

    cells: list[Any] = []
    names = iter([question.name for question in master.assignment.questions])
    for cell in master.cells:
        if cell.kind is CellKind.MARKDOWN:
            cells.append(v4.new_markdown_cell(cell.source))
        elif cell.kind is CellKind.CODE:
            lines = split_views(cell, Report(master.path), markers_allowed=True).solution
            source = "\n".join(line for _, line in lines).strip("\n")
            cells.append(v4.new_code_cell(source, metadata={"tags": list(cell.tags)} if cell.tags else {}))
        elif "END QUESTION" in cell.source.split("\n")[0]:
            cells.append(v4.new_code_cell(f'grader.check("{next(names)}")'))
    return dump_notebook(v4.new_notebook(cells=cells, metadata=METADATA))
