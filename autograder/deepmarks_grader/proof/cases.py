"""What is graded to prove an assignment's checks: reference, skeleton, mutants, accepted variants."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from deepmarks.submission import Attachment, Submission, read_submission
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
    """Code and checkpoint with a known verdict."""

    kind: CaseKind
    name: str
    source: str
    checkpoint: Callable[[], Attachment | None]
    """Gives the checkpoint that belongs to it, and trains it if the cache does not hold it."""
    mutant: Mutant | None = None

    def submission(self) -> Submission:
        """Code and checkpoint, as they are handed in."""
        submission = read_submission(self.source.encode(), f"{self.name}.py")
        attachment = self.checkpoint()
        return submission if attachment is None else replace(submission, attachments=(attachment,))


_WEIGHTS_LINE = re.compile(r"^# checkpoint: ([a-z0-9_]+)$", re.MULTILINE)
"""In an accepted variant, which has the reference's checkpoint without it."""


def read_cases(slug: str, repo: Path) -> list[Case]:
    """All cases of an assignment in a checkout; AuthoringError if its master, mutants or variants are not sound."""
    checks = repo / "autograder" / "checks" / slug
    master = load_master(repo / "solutions" / slug / "master.py")
    solution = master.solution_source

    def case(kind: CaseKind, name: str, source: str, weights: str, mutant: Mutant | None = None) -> Case:
        return Case(kind, name, source, partial(checkpoint_of, slug, repo, weights, solution), mutant)

    cases = [
        case(CaseKind.REFERENCE, "reference", solution, REFERENCE),
        case(CaseKind.SKELETON, "skeleton", master.skeleton_source, NONE),
    ]
    for mutant in load_mutants(checks / "mutants.toml", master):
        cases.append(case(CaseKind.MUTANT, mutant.name, mutant.apply(solution), mutant.checkpoint, mutant))
    for path in load_accepted(checks / "accepted"):
        variant = path.read_text("utf-8")
        found = _WEIGHTS_LINE.search(variant)
        weights = found[1] if found else REFERENCE
        cases.append(case(CaseKind.ACCEPTED, path.stem, append_cell(solution, variant), weights))
    return cases
