"""What is graded to prove an assignment's checks: reference, skeleton, mutants, accepted variants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from deepmarks.submission import Submission, read_submission
from deepmarks_grader.authoring import Mutant, append_cell, load_accepted, load_master, load_mutants
from deepmarks_grader.proof.weights import NONE, REFERENCE, checkpoint_of


class CaseKind(StrEnum):
    """Who hands in the submission of a case."""

    REFERENCE = "reference"
    SKELETON = "skeleton"
    MUTANT = "mutant"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Case:
    """One submission with a known verdict."""

    kind: CaseKind
    name: str
    submission: Submission
    mutant: Mutant | None = None


def read_cases(slug: str, repo: Path) -> list[Case]:
    """All cases of an assignment in a checkout; AuthoringError if its master, mutants or variants are not sound."""
    checks = repo / "autograder" / "checks" / slug
    master = load_master(repo / "solutions" / slug / "master.py")
    solution = master.solution_source

    def case(kind: CaseKind, name: str, source: str, mutant: Mutant | None = None) -> Case:
        submission = read_submission(source.encode(), f"{name}.py")
        weights = NONE if kind is CaseKind.SKELETON else mutant.checkpoint if mutant else REFERENCE
        attachment = checkpoint_of(slug, repo, weights, solution)
        if attachment is not None:
            submission = replace(submission, attachments=(attachment,))
        return Case(kind, name, submission, mutant)

    cases = [
        case(CaseKind.REFERENCE, "reference", solution),
        case(CaseKind.SKELETON, "skeleton", master.skeleton_source),
    ]
    for mutant in load_mutants(checks / "mutants.toml", master):
        cases.append(case(CaseKind.MUTANT, mutant.name, mutant.apply(solution), mutant))
    for path in load_accepted(checks / "accepted"):
        cases.append(case(CaseKind.ACCEPTED, path.stem, append_cell(solution, path.read_text("utf-8"))))
    return cases
