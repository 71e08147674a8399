"""From a master to the student's notebook and Otter's test files, by way of Otter Assign.

Otter Assign runs as a library on a notebook that gets one test case for each check. Its zip and its set-up
script are not used: they would build a conda environment.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepmarks_grader.authoring.checks import Check, CheckSet
from deepmarks_grader.authoring.master import IGNORE_TAG, Master
from deepmarks_grader.authoring.percent import CellKind

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
_CASE = re.compile(r"@test_case\(points=([^\n]*)\)\n(def (\w+)\(env\):)")


class OtterError(RuntimeError):
    """Otter Assign did not give what it should; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class OtterFiles:
    """What Otter Assign makes of a master."""

    notebook: str
    """The student's notebook, as JSON text."""
    public_tests: dict[str, str]
    """`q1.py` -> text with the public cases only."""
    all_tests: dict[str, str]
    """The same files with the hidden cases too."""


def run_otter_assign(master: Master, checks: CheckSet) -> OtterFiles:
    """Build notebook and test files; the same text for the same sources."""
    slug = master.assignment.slug
    with tempfile.TemporaryDirectory(prefix="deepmarks-otter-") as folder:
        place = Path(folder)
        source = place / "master" / f"{slug}.ipynb"
        source.parent.mkdir()
        source.write_text(_master_notebook(master, checks), encoding="utf-8")
        with _quietly(place):
            from otter.assign import main as assign

            assign(str(source), str(place / "result"), no_pdfs=True, no_run_tests=True)
        student, grader = place / "result" / "student", place / "result" / "autograder"
        files = OtterFiles(
            _tidy_notebook((student / f"{slug}.ipynb").read_text(encoding="utf-8")),
            _read_tests(student / "tests"),
            _read_tests(grader / "tests"),
        )
    _confirm(files, master, checks)
    return files


# ------------------------------------------------------------------ before


def _master_notebook(master: Master, checks: CheckSet) -> str:
    """The master as a notebook that Otter Assign understands, with a test cell for every check."""
    import nbformat.v4 as v4

    cells: list[Any] = []
    question = ""
    names = iter([question.name for question in master.assignment.questions])
    for cell in master.cells:
        first = cell.source.split("\n")[0]
        if cell.kind is CellKind.CODE:
            cells.append(v4.new_code_cell(cell.source, metadata={"tags": list(cell.tags)} if cell.tags else {}))
        elif cell.kind is CellKind.MARKDOWN:
            cells.append(v4.new_markdown_cell(cell.source))
        elif "ASSIGNMENT CONFIG" in first:
            cells.append(v4.new_raw_cell(_assignment_config(master.assignment.slug)))
        elif "BEGIN QUESTION" in first:
            question = next(names)
            # Points stand in the test cases alone: Otter adds floats up and may find a thousandth too many.
            cells.append(v4.new_raw_cell(f"# BEGIN QUESTION\nname: {question}"))
        elif "END QUESTION" in first:
            cells += _test_cells(checks.of(question))
            cells.append(v4.new_raw_cell("# END QUESTION"))
        else:
            cells.append(v4.new_raw_cell(first))
    return dump_notebook(v4.new_notebook(cells=cells, metadata=METADATA))


def _assignment_config(slug: str) -> str:
    return "\n".join(
        [
            "# ASSIGNMENT CONFIG",
            f"name: {slug}",
            "init_cell: false",
            "export_cell: false",
            "check_all_cell: false",
            "run_tests: false",
            "generate: false",
            "tests: {files: true, ok_format: false}",
        ]
    )


def _test_cells(checks: Sequence[Check]) -> list[Any]:
    import nbformat.v4 as v4

    tests = [v4.new_code_cell(_test_case(check)) for check in checks]
    return [v4.new_raw_cell("# BEGIN TESTS"), *tests, v4.new_raw_cell("# END TESTS")]


def _test_case(check: Check) -> str:
    return "\n".join(
        [
            '""" # BEGIN TEST CONFIG',
            f"points: {check.points!r}",
            f"hidden: {str(check.hidden).lower()}",
            '""" # END TEST CONFIG',
            f"def {check.name}(env):",
            "    from deepmarks.checks import otter_case",
            f"    otter_case(env, {check.question!r}, {check.id!r})",
        ]
    )


@contextlib.contextmanager
def _quietly(folder: Path) -> Iterator[None]:
    """Otter without its log lines, warnings and prints, and with its temporary files below `folder`."""
    # Otter makes a folder for a step that is switched off, and leaves it behind.
    previous, tempfile.tempdir = tempfile.tempdir, str(folder)
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        tempfile.tempdir = previous


# ------------------------------------------------------------------- after


def _read_tests(folder: Path) -> dict[str, str]:
    return {file.name: _tidy_tests(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.py"))}


def _tidy_tests(text: str) -> str:
    """The test file with the checks' names in it, which Otter's template leaves out."""
    named = _CASE.sub(r'@test_case(name="\3", points=\1)\n\2', text)
    return named.rstrip() + "\n"


def _tidy_notebook(text: str) -> str:
    """The notebook with the same ids every time, nothing executed, and demonstrations unlocked."""
    import nbformat

    notebook = nbformat.reads(text, as_version=4)
    kept = []
    for cell in notebook.cells:
        if isinstance(cell.source, list):
            cell.source = "".join(cell.source)
        if cell.cell_type == "code":
            if not cell.source.strip():
                continue  # a helper of the solution only
            cell.outputs, cell.execution_count = [], None
            if not cell.source.startswith("grader.check("):
                # Otter locks every cell of a question; a plot is there to be played with.
                cell.metadata.pop("editable", None)
                cell.metadata.pop("deletable", None)
        cell.metadata = {key: cell.metadata[key] for key in sorted(cell.metadata)}
        kept.append(cell)
    notebook.cells = kept
    notebook.metadata = {
        **METADATA,
        **{key: notebook.metadata[key] for key in ("otter",) if key in notebook.metadata},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return dump_notebook(notebook)


def dump_notebook(notebook: Any) -> str:
    """The notebook as JSON text, the same for the same cells: ids are numbers."""
    import nbformat

    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:03d}"
    return str(nbformat.writes(notebook, version=4, indent=1, sort_keys=True)).rstrip() + "\n"


def _confirm(files: OtterFiles, master: Master, checks: CheckSet) -> None:
    """Hold Otter's output against skeleton and checks; a solution must never slip through."""
    import nbformat

    notebook = nbformat.reads(files.notebook, as_version=4)
    got = [
        cell.source.strip()
        for cell in notebook.cells
        if cell.cell_type == "code"
        and IGNORE_TAG not in cell.metadata.get("tags", [])
        and not cell.source.startswith("grader.check(")
    ]
    wanted = set(master.skeleton_cells)
    strangers = [source for source in got if source not in wanted and "deepmarks.Notebook(" not in source]
    if strangers:
        raise OtterError(f"the student's notebook holds a cell that is not in the skeleton:\n{strangers[0]}")
    for question in master.assignment.questions:
        for hidden, tests in ((False, files.public_tests), (None, files.all_tests)):
            text = tests.get(f"{question.name}.py", "")
            expected = [check.name for check in checks.of(question.name, hidden=hidden)]
            if re.findall(r'@test_case\(name="(\w+)"', text) != expected:
                raise OtterError(f"Otter's tests of {question.name} do not hold its checks, each once and in order.")
