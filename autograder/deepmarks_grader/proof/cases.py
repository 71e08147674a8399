"""What is graded to prove an assignment's checks: reference, skeleton, mutants, accepted variants."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from deepmarks.submission import Submission, append, read_submission
from deepmarks_grader.bundle import Bundle


class CaseKind(StrEnum):
    """Who hands in the submission of a case."""

    REFERENCE = "reference"
    SKELETON = "skeleton"
    MUTANT = "mutant"
    ACCEPTED = "accepted"


class CaseError(ValueError):
    """A mutant cannot be made from the solution."""


@dataclass(frozen=True, slots=True)
class Case:
    """One submission with a known verdict."""

    kind: CaseKind
    name: str
    submission: Submission
    question: str = ""
    """A mutant loses points here and in no earlier question."""
    mistake: str = ""
    says: str = ""
    """Part of a sentence that the student must read in that question; empty if none is asked for."""
    caught_by: tuple[str, ...] = ()
    """Names of checks that must fail, without their files."""


def read_cases(bundle: Bundle, folder: Path) -> list[Case]:
    """All cases of the assignment whose checks lie in `folder`."""
    solution = read_submission(bundle.solution.encode(), "reference.py")
    cases = [Case(CaseKind.REFERENCE, "reference", solution)]
    if bundle.skeleton is not None:
        skeleton = read_submission(bundle.skeleton.encode(), "skeleton.py")
        cases.append(Case(CaseKind.SKELETON, "skeleton", skeleton))
    cases += _mutants(bundle, solution, folder / "mutants.toml")
    for path in sorted((folder / "accepted").glob("*.py")):
        submission = append(solution, path.read_text("utf-8"), path.stem)
        cases.append(Case(CaseKind.ACCEPTED, path.stem, submission))
    return cases


def _mutants(bundle: Bundle, solution: Submission, path: Path) -> list[Case]:
    entries = tomllib.loads(path.read_text("utf-8")).get("mutant", []) if path.is_file() else []
    cases = []
    for entry in entries:
        text = bundle.solution
        for old, new in entry.get("replace", []):
            if text.count(old) != 1:
                raise CaseError(f"mutant {entry['name']}: {old!r} occurs {text.count(old)} times in the solution")
            text = text.replace(old, new)
        submission = read_submission(text.encode(), f"{entry['name']}.py") if "replace" in entry else solution
        if "code" in entry:
            submission = append(submission, entry["code"], entry["name"])
        cases.append(
            Case(
                CaseKind.MUTANT,
                entry["name"],
                submission,
                entry["question"],
                entry.get("mistake", ""),
                entry.get("says", ""),
                tuple(entry.get("caught_by", ())),
            )
        )
    return cases
