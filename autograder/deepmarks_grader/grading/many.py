"""Grades several submissions, one after the other, with one zygote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from deepmarks.submission.records import printable
from deepmarks_grader.bundle import Bundle
from deepmarks_grader.errors import UserError
from deepmarks_grader.grading.grade import Grade, Grader
from deepmarks_grader.grading.intake import read
from deepmarks_grader.grading.results import write_results


def grade_paths(
    bundle: Bundle,
    paths: Sequence[Path],
    out: Path,
    device: str = "cpu",
    *,
    fresh_per_question: bool = False,
    allow_weak_isolation: bool = False,
) -> Iterator[Grade]:
    """Grade the submissions at `paths`, write `out/<stem>/results.json` for each, and yield the grades.

    The options are those of `Grader`. A checkpoint `<slug>.safetensors` beside a file belongs to it, unless several
    files of that folder are graded. Raises UserError before anything is graded if a path does not exist or two would
    write to one folder.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UserError(f"there is no submission at {', '.join(missing)}")
    stems = [path.stem for path in paths]
    if odd := [path.name for path in paths if path.stem in ("", ".", "..")]:
        raise UserError(f"a submission cannot be called {printable(odd[0])}; rename it")
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise UserError(f"several submissions are called {', '.join(twice)}; rename them or grade them one by one")
    in_folder = Counter(path.parent.absolute() for path in paths)
    with Grader(
        bundle, device, fresh_per_question=fresh_per_question, allow_weak_isolation=allow_weak_isolation
    ) as grader:
        for path in paths:
            submission = read(path, bundle.assignment.slug, weights_beside=in_folder[path.parent.absolute()] == 1)
            grade = grader.grade(replace(submission, name=printable(path.name)))
            write_results(grade, out / path.stem)
            yield grade
