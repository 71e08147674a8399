"""Everything that the grader finds out about a submission from its text, with limits on what that may take."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deepmarks.checks.errors import Broken
from deepmarks.checks.outcomes import Cause
from deepmarks.checks.policy import import_starred, source_violation
from deepmarks.manifest import Assignment
from deepmarks.submission import Attachment, Kind, Submission, Unit, definitions, limits, read_folder, read_path
from deepmarks.submission.records import printable
from deepmarks.submission.weights import read_with_weights
from deepmarks_grader.isolation.apart import MEMORY_MB, TooMuchError, apart

_TOO_MUCH = "The submission could not be read within the limits on time and memory: is it damaged, or generated?"


def read(path: Path, slug: str = "", *, weights_beside: bool = False) -> Submission:
    """The submission at `path`, a file or a folder. Never raises, and takes no more time or memory than allowed.

    With `weights_beside`, a checkpoint `<slug>.safetensors` in the same folder belongs to it.
    """

    def work() -> dict[str, Any]:
        if path.is_dir():
            return asdict(read_folder(path))
        return asdict(read_with_weights(path, slug) if weights_beside else read_path(path))

    try:
        return _submission(apart(work, memory_mb=MEMORY_MB + _room_for_files(path)))
    except TooMuchError:
        return Submission(printable(path.name), Kind.UNREADABLE, cause=_TOO_MUCH)


def _submission(data: dict[str, Any]) -> Submission:
    units = tuple(Unit(**unit) for unit in data["units"])
    attachments = tuple(Attachment(**attachment) for attachment in data["attachments"])
    return Submission(**{**data, "kind": Kind(data["kind"]), "units": units, "attachments": attachments})


def _room_for_files(path: Path) -> int:
    """MiB for the files as they are, as they were packed, and as they are sent."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    size = sum(file.lstat().st_size for file in files[: limits.ZIP_MEMBERS])
    return 3 * min(size, limits.ZIP_TOTAL) // limits.MIB


@dataclass(frozen=True, slots=True)
class Examined:
    """What the text of a submission says."""

    forbidden: Mapping[str, Broken] = field(default_factory=dict)
    """Questions whose source uses something forbidden."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The last definition of each name."""
    imports: frozenset[str] = frozenset()
    """Dotted names that it imports."""


def examine(submission: Submission, assignment: Assignment) -> Examined:
    """What the text of `submission` says; too involved to be searched, it breaks every policy."""
    policed = [question for question in assignment.questions if question.forbid]
    source = "\n".join(unit.source for unit in submission.units if unit.error is None)
    if policed:
        import_starred(source)

    def work() -> tuple[list[tuple[str, str, str, str]], dict[str, str], frozenset[str]]:
        found = []
        for question in policed:
            violation = source_violation(source, question.names, question.forbid, assignment.names)
            if violation is not None:
                found.append((question.name, str(violation.cause), violation.sentence, violation.detail))
        return found, definitions(submission), _imports(submission)

    try:
        found, sources, imports = apart(work)
    except TooMuchError:
        told = Broken(Cause.FORBIDDEN, "Your code is too involved to be searched for what this question forbids.")
        return Examined({question.name: told for question in policed})
    forbidden = {name: Broken(Cause(cause), sentence, detail) for name, cause, sentence, detail in found}
    return Examined(forbidden, sources, imports)


def _imports(submission: Submission) -> frozenset[str]:
    named: set[str] = set()
    for unit in submission.units:
        if unit.error is None:
            for node in ast.walk(ast.parse(unit.source)):
                if isinstance(node, ast.Import):
                    named.update(item.name for item in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    named.add(node.module)
                    named.update(f"{node.module}.{item.name}" for item in node.names)
    return frozenset(named)


def warmable(imports: frozenset[str], modules: Sequence[str]) -> list[str]:
    """Which of `modules` are among `imports`, or hold some of them."""
    return [m for m in modules if any(name == m or name.startswith(m + ".") for name in imports)]
