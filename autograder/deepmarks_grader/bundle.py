"""What grading needs of an assignment, from an unpacked autograder zip or straight from a checkout."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from deepmarks.manifest import Assignment

SECRET_VARIABLE = "DEEPMARKS_COURSE_SECRET"


class BundleError(RuntimeError):
    """A folder that should hold a bundle does not; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One assignment, ready to grade."""

    assignment: Assignment
    root: Path | None
    """The unpacked `bundle/` folder; None if it came from a checkout."""
    public: Path
    """The folder of the public checks."""
    hidden: Path | None
    """The folder of the hidden checks; None in what students receive."""
    probes: Path | None
    solution: str
    """The reference solution in percent format; empty in what students receive."""
    skeleton: str | None = None
    """What students start from; known in a checkout only."""

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """The bundle in `folder`, an unpacked `bundle/` or a student's folder.

        Raises BundleError if checks are missing, ManifestError if assignment.json cannot be read.
        """
        assignment = Assignment.load(folder / "assignment.json")
        checks = folder / "checks"
        if not (checks / "public").is_dir():
            raise BundleError(f"{folder} holds no public checks; it should have a folder checks/public")
        solution = folder / "solution.py"
        return cls(
            assignment,
            folder,
            checks / "public",
            _if_there(checks / "hidden"),
            _if_there(checks / "probes.py"),
            solution.read_text(encoding="utf-8") if solution.is_file() else "",
        )


def bundle_from_repo(slug: str, repo: Path) -> Bundle:
    """The bundle of an assignment in a checkout, without zips.

    Raises AuthoringError if the master is not sound. The checks are not looked at.
    """
    from deepmarks_grader.authoring.master import load_master

    master = load_master(repo / "solutions" / slug / "master.py")
    checks = repo / "autograder" / "checks" / slug
    return Bundle(
        master.assignment,
        None,
        checks / "public",
        _if_there(checks / "hidden"),
        _if_there(checks / "probes.py"),
        master.solution_source,
        master.skeleton_source,
    )


def course_secret(bundle: Bundle) -> bytes:
    """The key from which the seeds of hidden checks derive.

    It is the environment's DEEPMARKS_COURSE_SECRET, else the SHA-256 of what students never see: the hidden
    checks and the reference solution. So it is the same wherever the same bundle is graded.
    """
    chosen = os.environ.get(SECRET_VARIABLE, "")
    if chosen:
        return chosen.encode()
    digest = hashlib.sha256()
    parts = [bundle.solution.encode()]
    if bundle.hidden is not None:
        for file in sorted(bundle.hidden.rglob("*.py")):
            parts += [file.relative_to(bundle.hidden).as_posix().encode(), file.read_bytes()]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None
