"""Where assignments lie, and what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deepmarks.manifest import MANIFEST_NAME, Assignment, ManifestError, Question
from deepmarks.workbench.errors import FolderError, UnknownQuestionError

_ADVICE = (
    "Keep the files of an assignment together, as they came in its zip "
    "(the notebook, assignment.json, tests and checks), and start Jupyter or the command from there."
)


@dataclass(frozen=True, slots=True)
class Place:
    """An assignment and its folder."""

    folder: Path
    assignment: Assignment

    @property
    def slug(self) -> str:
        """The assignment's name."""
        return self.assignment.slug

    def question(self, name: str) -> Question:
        """The question called `name`; UnknownQuestionError with a sentence if there is none."""
        for question in self.assignment.questions:
            if question.name == name.strip().lower():
                return question
        names = [question.name for question in self.assignment.questions]
        has = f"{names[0]} to {names[-1]}" if len(names) > 1 else f"{names[0]} only"
        raise UnknownQuestionError(f"There is no question {name}; this assignment has {has}.")

    def submission_file(self) -> Path:
        """The student's file: the notebook, else a script; FolderError if there is none."""
        candidates = [f"{self.slug}.ipynb", f"{self.slug}.py", "submission.py"]
        for name in candidates:
            if (self.folder / name).is_file():
                return self.folder / name
        raise FolderError(
            f"There is no {', '.join(candidates[:-1])} or {candidates[-1]} in {self.folder.resolve()}.\n"
            "Put your file there, or name it with --file."
        )


def places(start: Path) -> list[Place]:
    """The assignments in `start`, its sub-folders and its `assignments/`, by name; FolderError for a damaged one."""
    folders = [start, *_children(start), *_children(start / "assignments")]
    found: dict[str, Place] = {}
    for folder in folders:
        place = _place(folder)
        if place is not None:
            found.setdefault(place.slug, place)
    return sorted(found.values(), key=lambda place: place.slug)


def find_place(name: str | None, start: Path) -> Place:
    """The assignment called `name` (a slug, the beginning of one, or a folder), or the only one at hand.

    Raises FolderError, with what to do, if there is none or more than one.
    """
    here = _place(start)
    if name is None and here is not None:
        return here
    if name is not None and (Path(name) / MANIFEST_NAME).is_file():
        return load_place(Path(name))
    found = places(start)
    known = ", ".join(place.slug for place in found)
    if name is None:
        if len(found) == 1:
            return found[0]
        if found:
            raise FolderError(f"Which assignment? Here are {known}.")
        raise FolderError(f"There is no assignment in {start.resolve()}.\n{_ADVICE}")
    matching = [p for p in found if p.slug == name] or [p for p in found if p.slug.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if found:
        raise FolderError(f"There is no assignment {name} here; there are: {known}.")
    raise FolderError(f"There is no assignment {name} in {start.resolve()}, nor in assignments/ there.\n{_ADVICE}")


def find_for_notebook(slug: str, candidates: Iterable[Path]) -> Place:
    """The folder of `slug` among `candidates` (a folder, its sub-folder `slug`, its `assignments/slug`).

    Raises FolderError with what to do if there is none.
    """
    looked = list(dict.fromkeys(path.resolve() for path in candidates))
    others = []
    for start in looked:
        for folder in (start, start / slug, start / "assignments" / slug):
            place = _place(folder)
            if place is not None and place.slug == slug:
                return place
            if place is not None:
                others.append(place.slug)
    where = " or ".join(map(str, looked))
    what = f"a folder of {others[0]}, not of {slug}" if others else "no assignment.json there"
    raise FolderError(f"The files of {slug} are not beside this notebook.\nLooked in {where}: {what}.\n{_ADVICE}")


def load_place(folder: Path) -> Place:
    """The assignment in `folder`; FolderError if its assignment.json cannot be read."""
    try:
        return Place(folder, Assignment.load(folder))
    except ManifestError as error:
        raise FolderError(f"The assignment in {folder} cannot be used: {error}\nUnpack its zip once more.") from error


def _place(folder: Path) -> Place | None:
    return load_place(folder) if (folder / MANIFEST_NAME).is_file() else None


def _children(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
