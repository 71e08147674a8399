"""What an assignment is made of: the record that the builder writes and everybody else reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MANIFEST_NAME = "assignment.json"


class ManifestError(ValueError):
    """The manifest is missing, damaged or from another version."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one submission may use. The defaults suit an assignment without training.

    The numbers leave an honest solution a factor of five or more on a slow core.
    """

    cell_seconds: float = 20.0
    """Wall-clock seconds for one top-level statement while the submission is read."""
    call_seconds: float = 10.0
    """Wall-clock seconds for one call of a student's function."""
    question_seconds: float = 40.0
    """Wall-clock seconds for all calls of one question."""
    total_seconds: float = 240.0
    """Wall-clock seconds for the whole submission."""
    memory_mb: int = 2048
    """Resident memory of the submission's processes together, in MiB, above what a fresh worker has."""
    reply_mb: int = 16
    """Size of one reply, in MiB. The grader holds it twice while it is decoded: less than 50 MiB whatever comes."""
    output_kb: int = 256
    """Printed output that is kept, in KiB; the rest is read and thrown away."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question as the student sees it."""

    name: str
    """`q1`, `q2`, ..."""
    title: str
    points: float
    names: tuple[str, ...]
    """Functions, classes or variables that the student defines here."""
    hints: tuple[str, ...]
    """From a nudge to nearly the answer."""
    forbid: tuple[str, ...] = ()
    """Policy groups in force (see `deepmarks.checks.policy`), the assignment's included."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment; `assignment.json` is its JSON form."""

    slug: str
    title: str
    questions: tuple[Question, ...]
    limits: Limits = field(default_factory=Limits)

    @property
    def points(self) -> float:
        """All points that can be earned."""
        return sum(question.points for question in self.questions)

    @property
    def names(self) -> frozenset[str]:
        """Every name that the contract asks students to define."""
        return frozenset(name for question in self.questions for name in question.names)

    def question(self, name: str) -> Question:
        """The question called `name`; KeyError if there is none."""
        for question in self.questions:
            if question.name == name:
                return question
        raise KeyError(name)

    def to_json(self) -> str:
        """The text of `assignment.json`, the same bytes for the same assignment."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Assignment:
        """The assignment in `data`; ManifestError if a field is missing or unknown."""
        try:
            questions = tuple(_question(item) for item in data["questions"])
            return cls(data["slug"], data["title"], questions, Limits(**data.get("limits", {})))
        except (KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"this is not an assignment of this version of Deepmarks: {error}") from error

    @classmethod
    def load(cls, path: Path) -> Assignment:
        """The assignment in the file `path`, or in `path/assignment.json`; ManifestError if unreadable."""
        file = path / MANIFEST_NAME if path.is_dir() else path
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ManifestError(f"cannot read {file}: {error}") from error
        return cls.from_dict(data)


def _question(data: Mapping[str, Any]) -> Question:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return Question(**fields)
