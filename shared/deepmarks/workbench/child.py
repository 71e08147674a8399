"""The process in which the command line runs a student's file: `python -m deepmarks.workbench.child`.

It reads one job (JSON) from the standard input and writes events to the standard output, one JSON object a line:
`{"event": "unit", "index": 3}` before a statement runs, `{"event": "notice", "text": ...}`, `{"event": "question",
"name": "q2"}` before a question is checked, `{"event": "record", "question": {...}}` after it, `{"event":
"unavailable", "text": ...}` if the checks themselves are at fault, and `{"event": "end"}`. What the student's
code prints goes elsewhere, so it cannot disturb the events by accident. This is no boundary: it is the
student's own machine.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import types
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

MODULE = "your_code"
"""The name of the module in which the student's file runs."""


def main() -> None:
    """Run the job on the standard input."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.load(sys.stdin)
    os.environ.setdefault("MPLBACKEND", "agg")
    folder, file = Path(job["folder"]), Path(job["file"])
    os.chdir(folder)  # notebooks open their data beside themselves
    sys.path.insert(0, str(folder))
    run(folder, file, job["questions"], set(job["skipped"]), events)


def run(folder: Path, file: Path, questions: list[str], skipped: set[int], events: TextIO) -> None:
    """Execute the units of `file` but for the `skipped` ones, and check `questions`; write events."""
    from deepmarks.checks.errors import CheckError
    from deepmarks.checks.local import check_namespace
    from deepmarks.manifest import Assignment
    from deepmarks.submission import read_path

    def send(event: str, **fields: Any) -> None:
        events.write(json.dumps({"event": event, **fields}) + "\n")
        events.flush()

    submission = read_path(file)
    if any("torch" in unit.source for unit in submission.units):
        importlib.import_module("torch")  # in grading, too, its import is not on the student's time
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    module.__dict__.update(display=_nothing, get_ipython=_nothing)
    limit = Assignment.load(folder).limits.cell_seconds
    for index, unit in enumerate(submission.units):
        if index not in skipped:
            send("unit", index=index)
            problem = _run_unit(module.__dict__, unit, limit)
            if problem:
                send("notice", text=problem)
    source = "\n".join(unit.source for unit in submission.units if unit.error is None)
    for name in questions:
        send("question", name=name)
        try:
            (question,) = check_namespace(folder, module.__dict__, [name], source)
        except CheckError as error:
            send("unavailable", text=str(error).split("\n")[0].rstrip(":"))
            return
        send("record", question=asdict(question))
    send("end")


def _run_unit(namespace: dict[str, Any], unit: Any, seconds: float) -> str:
    """Execute one unit; what went wrong in one line, or nothing."""
    from contextlib import redirect_stderr, redirect_stdout

    from deepmarks.checks.limited import TimeUp, time_limit
    from deepmarks.checks.workspace import run_unit
    from deepmarks.submission import compile_unit

    if unit.error is not None:
        return str(unit.error)
    try:
        with time_limit(seconds), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            run_unit(namespace, compile_unit(unit), unit.source, unit.line)
    except TimeUp:
        return f"{unit.label} did not finish within {seconds:g} seconds; it was left out."
    except NotImplementedError:
        return f"{unit.label} uses a function that is still a stub."
    except BaseException as error:  # SystemExit too: the rest of the file still runs
        where = "" if unit.label.startswith("line") else f", line {_line(error, unit)}"
        return f"{unit.label}{where}: {type(error).__name__}: {error}"[:300]
    return ""


def _line(error: BaseException, unit: Any) -> int:
    """The last line of the student's file that the exception came through."""
    line, trace = unit.line, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == unit.filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return int(line)


def _nothing(*args: object, **kwargs: object) -> None:
    """Stand in for what only exists inside IPython."""


if __name__ == "__main__":
    main()
