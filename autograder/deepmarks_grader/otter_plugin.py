"""Lets plain `otter run` and `otter grade` use the isolated grader.

Otter would execute the submission in the kernel that also holds the tests. Through this plugin the submission is graded
by `Grader` before Otter starts a kernel, its files are gone from the kernel's folder, and the notebook that the kernel
executes is a new one with nothing in it but how the checks ended.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from otter.plugins import AbstractOtterPlugin

from deepmarks.checks.otter_case import OUTCOMES_NAME
from deepmarks.checks.outcomes import Outcome
from deepmarks_grader.bundle import Bundle
from deepmarks_grader.grading import Grade, Grader
from deepmarks_grader.grading.grade import weak_isolation_allowed
from deepmarks_grader.grading.intake import read
from deepmarks_grader.grading.render import overview_markdown, plain
from deepmarks_grader.isolation.leftovers import close_to_others

_NOT_THE_STUDENTS = {"tests", "__init__.py"}
"""What Otter itself puts beside the submission."""


class DeepmarksPlugin(AbstractOtterPlugin):  # type: ignore[misc]
    """The plugin that `otter_config.json` of an autograder zip names."""

    IMPORTABLE_NAME = "deepmarks_grader.otter_plugin.DeepmarksPlugin"
    grade: Grade | None = None

    def before_grading(self, config: Any) -> None:
        """Grade the submission, with its files moved out of the trusted kernel's reach."""
        submission_file = Path(self.submission_path)
        folder = submission_file.parent
        with tempfile.TemporaryDirectory(prefix="deepmarks-otter-") as away:
            for entry in sorted(folder.iterdir()):
                if entry.name not in _NOT_THE_STUDENTS:
                    shutil.move(entry, Path(away) / entry.name)
            submission = read(Path(away))
            bundle = folder.parent / "source" / "bundle"
            close_to_others(bundle)
            weak = weak_isolation_allowed()
            with Grader(Bundle.load(bundle), "auto", allow_weak_isolation=weak) as grader:
                self.grade = grader.grade(submission)
        # Otter opens the file by this name once more.
        empty = nbformat.writes(nbformat.v4.new_notebook()) if submission_file.suffix == ".ipynb" else ""
        submission_file.write_text(empty, encoding="utf-8")

    def before_execution(self, submission: Any) -> Any:
        """A new notebook that holds how the checks ended, and nothing of the student's."""
        outcomes = json.dumps(self._outcomes())
        source = f"import json\n{OUTCOMES_NAME} = json.loads({outcomes!r})"
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])

    def after_grading(self, results: Any) -> None:
        """Add what the student should know about the submission as a whole."""
        if self.grade is not None:
            results.set_output(overview_markdown(self.grade))

    def _outcomes(self) -> dict[str, tuple[bool, str]]:
        """Whether each check passed, and what the student may read about it; empty if the grade is withheld."""
        if self.grade is None or self.grade.withheld:
            return {}
        records = [record for question in self.grade.questions for record in question.records]
        return {
            record.check: (
                record.outcome is Outcome.PASSED,
                plain(f"{record.title} {record.outcome}: {record.sentence}"),
            )
            for record in records
        }
