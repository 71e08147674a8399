"""Grades every case of an assignment and compares with what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepmarks.checks.outcomes import Outcome
from deepmarks_grader.authoring import Mutant
from deepmarks_grader.bundle import Bundle, bundle_from_repo
from deepmarks_grader.grading import Grade, Grader
from deepmarks_grader.proof.cases import Case, CaseKind, read_cases

SAID_SHARE = 0.8
"""The share of mutants whose mistake the doctor must name."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case ended."""

    case: Case
    grade: Grade
    shortfalls: tuple[str, ...]
    """What is not as it must be."""
    said: bool | None = None
    """Whether a mutant's mistake was named; None where nothing is asked for."""
    heard: tuple[str, ...] = ()
    """The sentences that the student reads in the mutant's question."""


@dataclass(frozen=True, slots=True)
class ProofReport:
    """The proof of one assignment."""

    slug: str
    results: tuple[CaseResult, ...]

    def of(self, kind: CaseKind) -> list[CaseResult]:
        """The results of one kind of case."""
        return [result for result in self.results if result.case.kind is kind]

    @property
    def killed(self) -> int:
        """Mutants that lost points where they must, and only there."""
        return sum(not result.shortfalls for result in self.of(CaseKind.MUTANT))

    @property
    def said(self) -> int:
        """Mutants whose mistake was named."""
        return sum(result.said is True for result in self.of(CaseKind.MUTANT))

    @property
    def shortfalls(self) -> list[str]:
        """Everything that is not as it must be."""
        found = [f"{r.case.kind} {r.case.name}: {text}" for r in self.results for text in r.shortfalls]
        mutants = self.of(CaseKind.MUTANT)
        if mutants and self.said < SAID_SHARE * len(mutants):
            found.append(f"the mistake is named for {self.said} of {len(mutants)} mutants only")
        return found

    def summary(self) -> dict[str, object]:
        """The JSON object that `prove --json` prints."""
        reference = self.of(CaseKind.REFERENCE)[0].grade if self.of(CaseKind.REFERENCE) else None
        return {
            "slug": self.slug,
            "mutants": len(self.of(CaseKind.MUTANT)),
            "killed": self.killed,
            "named": self.said,
            "accepted": len(self.of(CaseKind.ACCEPTED)),
            "shortfalls": self.shortfalls,
            "reference_seconds": round(reference.seconds, 3) if reference else None,
            "reference_cpu_seconds": round(reference.cpu_seconds, 3) if reference else None,
            "reference_peak_mb": round(reference.peak_mb, 1) if reference else None,
        }


def prove(
    slug: str,
    repo: Path,
    *,
    device: str = "cpu",
    only: Sequence[str] | None = None,
    report: Callable[[CaseResult], None] = lambda result: None,
    allow_weak_isolation: bool = False,
) -> ProofReport:
    """Prove the checks of an assignment in a checkout.

    `only` restricts the proof to cases whose name contains one of its strings; `report` hears of each result at once.
    """
    bundle = bundle_from_repo(slug, repo)
    results = []
    with Grader(bundle, device, allow_weak_isolation=allow_weak_isolation) as grader:
        for case in read_cases(slug, repo):
            if only and not any(part in case.name for part in only):
                continue
            result = _judge(case, grader.grade(case.submission(), _questions(bundle, case)))
            report(result)
            results.append(result)
    return ProofReport(slug, tuple(results))


def _questions(bundle: Bundle, case: Case) -> list[str] | None:
    """The questions to grade: for a mutant, its own and the earlier ones, which it must leave alone."""
    if case.mutant is None:
        return None
    names = [question.name for question in bundle.assignment.questions]
    return names[: names.index(case.mutant.question) + 1]


def _judge(case: Case, grade: Grade) -> CaseResult:
    shortfalls = [f"the grader failed: {grade.withheld}"] if grade.withheld else []
    if case.kind in (CaseKind.REFERENCE, CaseKind.ACCEPTED):
        for question in grade.questions:
            shortfalls += [
                f"{record.check} {record.outcome}: {record.sentence} {record.detail or record.staff}"
                for record in question.records
                if record.outcome is not Outcome.PASSED
            ]
        return CaseResult(case, grade, tuple(shortfalls))
    if case.kind is CaseKind.SKELETON:
        for question in grade.questions:
            if question.score or question.outcome is not Outcome.NOT_ATTEMPTED:
                shortfalls.append(f"{question.name} is {question.outcome} with {question.score:g} points")
        return CaseResult(case, grade, tuple(shortfalls))
    assert case.mutant is not None
    return _judge_mutant(case, case.mutant, grade, shortfalls)


def _judge_mutant(case: Case, mutant: Mutant, grade: Grade, shortfalls: list[str]) -> CaseResult:
    heard: list[str] = []
    for question in grade.questions:
        missed = [record for record in question.records if record.outcome is not Outcome.PASSED]
        if question.name == mutant.question:
            heard = list(dict.fromkeys(record.sentence for record in missed))
            if not missed:
                shortfalls.append(f"it loses nothing in {mutant.question}")
        elif missed:
            shortfalls.append(f"it loses points in {question.name} already: {missed[0].check}: {missed[0].sentence}")
    said = any(mutant.says.lower() in sentence.lower() for sentence in heard) if mutant.says else None
    return CaseResult(case, grade, tuple(shortfalls), said, tuple(heard))
