"""Every assignment's checks are proved: right answers win, known wrong ones lose, and are told why.

The fast test takes the reference, the skeleton, some accepted variants and one mutant a question (of assignments that
train, fewer); the slow one takes all.
"""

from __future__ import annotations

import pytest

from deepmarks_grader.authoring import list_slugs
from deepmarks_grader.proof import prove
from deepmarks_grader.proof.cases import CaseKind, read_cases
from tests.conftest import REPOSITORY

SLUGS = list_slugs(REPOSITORY)
FEW = 2


def trains_long(slug: str) -> bool:
    return slug.split("_")[0] in ("a4", "a5", "a6")


def a_few_cases(slug: str) -> list[str]:
    cases = read_cases(slug, REPOSITORY)
    first = {case.mutant.question: case.name for case in reversed(cases) if case.mutant is not None}
    accepted = [case.name for case in cases if case.kind is CaseKind.ACCEPTED]
    if trains_long(slug):
        return ["reference", "skeleton", first["q1"], first["q4"], first["q6"]]
    return ["reference", "skeleton", *first.values(), *accepted[:FEW]]


@pytest.mark.parametrize("slug", SLUGS)
def test_right_answers_win_and_a_wrong_one_loses_in_every_question(slug):
    report = prove(slug, REPOSITORY, only=a_few_cases(slug))
    assert [text for text in report.shortfalls if "named for" not in text] == []
    grade = report.of(CaseKind.REFERENCE)[0].grade
    assert grade.score == 20
    # Where others have the processor, a9 trains once more.
    assert grade.cpu_seconds < (90 if trains_long(slug) else 20)
    assert grade.peak_mb < 2048


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("slug", SLUGS)
def test_every_mutant_is_killed_and_most_are_named(slug):
    report = prove(slug, REPOSITORY)
    assert report.shortfalls == []
    assert report.killed == len(report.of(CaseKind.MUTANT)) >= 24
