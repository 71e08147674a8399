"""Grades on request: a process of its own, so that a scenario which ends the grader is noticed.

Reads one JSON object a line (`submission`, `out`) and answers with one; everything else that is printed goes to stderr.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

_SIGNALS = [signal.Signals[f"SIG{name}"] for name in ("TERM", "INT", "HUP", "USR1", "USR2", "ALRM", "CONT")]


def main(bundle_path: str) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    received: list[str] = []
    for number in _SIGNALS:
        signal.signal(number, lambda number, frame: received.append(signal.Signals(number).name))

    from deepmarks_grader.bundle import Bundle
    from deepmarks_grader.grading import Grader
    from deepmarks_grader.grading.intake import read
    from deepmarks_grader.grading.results import gradescope_dict, write_results

    # The secrets lie about where a careless grader would leave them.
    planted = os.open(Path(bundle_path) / "solution.py", os.O_RDONLY)
    os.set_inheritable(planted, True)

    with Grader(Bundle.load(Path(bundle_path))) as grader:
        answers.write(json.dumps({"ready": True}) + "\n")
        for line in sys.stdin:
            request = json.loads(line)
            started = time.monotonic()
            received.clear()
            try:
                grade = grader.grade(read(Path(request["submission"])))
                write_results(grade, Path(request["out"]))
                visible = gradescope_dict(grade)
                answer = {"grade": dataclasses.asdict(grade), "score": grade.score, "visible": _for_students(visible)}
            except BaseException as error:
                answer = {"died": f"{type(error).__name__}: {error}"}
            answer |= {
                "seconds": time.monotonic() - started,
                "signals": list(received),
                "files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                "descriptors": len(os.listdir("/proc/self/fd")),
            }
            answers.write(json.dumps(answer, default=str) + "\n")


def _for_students(results: dict[str, Any]) -> dict[str, Any]:
    return {**results, "tests": [test for test in results["tests"] if test.get("visibility") != "hidden"]}


if __name__ == "__main__":
    main(sys.argv[1])
