"""Writes a grade down: Gradescope's results.json and Otter's results.pkl, both through Otter's own records."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from deepmarks.checks.outcomes import CheckRecord, Outcome, QuestionRecord
from deepmarks_grader.grading.grade import Grade
from deepmarks_grader.grading.render import overview_markdown, plain, question_markdown, staff_markdown

RESULTS_NAME = "results.json"
PICKLE_NAME = "results.pkl"
_STATUS_OF = {True: "passed", False: "failed"}


def otter_results(grade: Grade) -> Any:
    """The grade as Otter's `GradingResults`: a test file a question, a test case a check."""
    from otter.test_files import GradingResults

    return GradingResults([_test_file(question) for question in grade.questions])


def gradescope_dict(grade: Grade, nonce: str = "") -> dict[str, Any]:
    """The grade in Gradescope's format, made by Otter and completed here."""
    from otter.run.run_autograder.autograder_config import AutograderConfig

    config = AutograderConfig({"show_hidden": True, "force_public_test_summary": False})
    output: dict[str, Any] = otter_results(grade).to_gradescope_dict(config)
    for test, question in zip(output["tests"], grade.questions, strict=True):
        test.update(
            name=f"{question.name}: {plain(question.title)}",
            output=question_markdown(question),
            output_format="md",
            visibility="visible",
            status=_STATUS_OF[question.outcome is Outcome.PASSED],
            tags=[str(question.outcome)],
            extra_data={"question": question.name, "outcome": str(question.outcome)},
        )
    output["tests"].append(
        {
            "name": "For staff",
            "output": staff_markdown(grade),
            "output_format": "md",
            "visibility": "hidden",
            "max_score": 0,
            "score": 0,
        }
    )
    output.update(
        score=grade.score,
        output=overview_markdown(grade),
        output_format="md",
        stdout_visibility="hidden",
        execution_time=round(grade.seconds, 3),
        extra_data={"slug": grade.slug, "submission": grade.submission, "cause": grade.cause, "nonce": nonce},
    )
    if grade.leaderboard:
        output["leaderboard"] = [asdict(entry) for entry in grade.leaderboard]
    return output


def failure_dict(sentence: str, staff: str, nonce: str = "") -> dict[str, Any]:
    """What is reported when there is no grade at all: the score is withheld and staff are told why."""
    return {
        "score": 0,
        "output": sentence,
        "output_format": "md",
        "stdout_visibility": "hidden",
        "tests": [{"name": "For staff", "output": staff, "visibility": "hidden", "max_score": 0, "score": 0}],
        "extra_data": {"cause": sentence, "withheld": True, "nonce": nonce},
    }


def write_results(grade: Grade, folder: Path, nonce: str = "") -> Path:
    """Write results.json and results.pkl into `folder`, each in one step; returns the path of results.json."""
    import dill

    data = gradescope_dict(grade, nonce)
    validate(data)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / PICKLE_NAME, dill.dumps(otter_results(grade)))
    return write_json(folder / RESULTS_NAME, data)


def write_json(path: Path, data: dict[str, Any]) -> Path:
    """Write `data` to `path` in one step."""
    text = json.dumps(data, indent=2, ensure_ascii=True)
    return write_atomically(path, text.encode("ascii"))


def write_atomically(path: Path, data: bytes) -> Path:
    """Write `data` beside `path` and rename it, so that `path` is never half written; a link there is replaced."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".results-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def validate(data: dict[str, Any]) -> None:
    """Raise jsonschema's ValidationError if `data` is not in Gradescope's documented format."""
    import jsonschema

    schema = resources.files("deepmarks_grader.grading").joinpath("gradescope.schema.json").read_text("utf-8")
    jsonschema.validate(data, json.loads(schema))


def _test_file(question: QuestionRecord) -> Any:
    from otter.test_files import TestCase
    from otter.test_files.abstract_test import TestCaseResult
    from otter.test_files.exception_test import ExceptionTestFile

    results = []
    for record in question.records:
        case = TestCase(plain(record.title), "", record.hidden, record.points, None, None)
        results.append(TestCaseResult(case, _message(record), record.outcome is Outcome.PASSED))
    file = ExceptionTestFile(
        question.name,
        f"tests/{question.name}.py",
        [result.test_case for result in results],
        all_or_nothing=False,
    )
    file.test_case_results = results
    return file


def _message(record: CheckRecord) -> str:
    return f"{record.outcome}. {plain(record.sentence)}".strip()
