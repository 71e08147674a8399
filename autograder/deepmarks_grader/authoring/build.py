"""Build assignments: from the sources in a checkout to the zips that students and Gradescope receive."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepmarks.manifest import Assignment
from deepmarks_grader.authoring.checks import CheckSet, load_checks
from deepmarks_grader.authoring.master import Master, load_master
from deepmarks_grader.authoring.otter import OtterFiles, run_otter_assign
from deepmarks_grader.authoring.problems import AuthoringError, Problem, gathering
from deepmarks_grader.authoring.solved import solved_notebook
from deepmarks_grader.authoring.wheels import build_wheels
from deepmarks_grader.authoring.zips import Files, autograder_files, student_files, write_zip

_LEFT_BY_USE = frozenset({".OTTER_LOG", ".ipynb_checkpoints", "__pycache__", ".venv", ".pytest_cache", ".DS_Store"})


class RepositoryError(RuntimeError):
    """There is no checkout of the repository to build from."""


@dataclass(frozen=True, slots=True)
class BuiltAssignment:
    """Where one assignment's files are."""

    assignment: Assignment
    student_zip: Path
    autograder_zip: Path
    solution: Path
    """The notebook with its solutions, for instructors."""


@dataclass(frozen=True, slots=True)
class _Sources:
    """One assignment, read, found sound, and through Otter Assign."""

    master: Master
    checks: CheckSet
    otter: OtterFiles

    @property
    def slug(self) -> str:
        return self.master.assignment.slug


def find_repo(start: Path | None = None) -> Path:
    """The checkout that this package runs from, or that `start` (default: the working folder) lies in.

    Raises RepositoryError if there is none: an installed package holds no masters.
    """
    start = start or Path.cwd()
    for folder in (*Path(__file__).resolve().parents, start.resolve(), *start.resolve().parents):
        if is_repo(folder):
            return folder
    raise RepositoryError(
        "building needs the repository: run this inside a checkout of Deepmarks (the folder with "
        "pyproject.toml, solutions/ and autograder/), or name its folder"
    )


def is_repo(folder: Path) -> bool:
    """Whether `folder` is a checkout of this repository."""
    project = folder / "pyproject.toml"
    try:
        data = tomllib.loads(project.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    named = data.get("project", {}).get("name") == "deepmarks"
    return named and (folder / "shared" / "deepmarks").is_dir() and (folder / "autograder").is_dir()


def list_slugs(repo: Path) -> list[str]:
    """The assignments that have a master, in order."""
    return sorted(path.parent.name for path in (repo / "solutions").glob("*/master.py"))


def load_sources(slug: str, repo: Path) -> tuple[Master, CheckSet]:
    """Master and checks of an assignment; AuthoringError with every problem of both."""
    path = repo / "solutions" / slug / "master.py"
    if not path.is_file():
        known = ", ".join(list_slugs(repo)) or "none yet"
        raise AuthoringError([Problem(path, 1, f"there is no assignment `{slug}`; there are: {known}.")])
    master = load_master(path)
    return master, load_checks(repo / "autograder" / "checks" / slug, master)


def build(slugs: Sequence[str], out: Path, repo: Path, *, update_assignments: bool = True) -> list[BuiltAssignment]:
    """Write both zips and the solved notebook of each assignment to `out/<slug>/`, and refresh `assignments/<slug>/`.

    Nothing is written before all sources are sound. Raises AuthoringError (all problems of all assignments),
    WheelError, PinError or OtterError.
    """
    repo = _checked(repo)
    prepared = _prepare(slugs, repo)
    wheels = build_wheels(repo)
    built = []
    for sources in prepared:
        slug = sources.slug
        shown = student_files(repo, sources.master, sources.checks, sources.otter)
        if update_assignments:
            _replace_folder(repo / "assignments" / slug, shown)
        in_zip = {f"{slug}/{name}": data for name, data in (shown | {wheels.student.name: wheels.student.data}).items()}
        for_grader = autograder_files(repo, sources.master, sources.checks, sources.otter, wheels)
        student_zip = out / slug / f"{slug}-student.zip"
        autograder_zip = out / slug / f"{slug}-autograder.zip"
        write_zip(student_zip, in_zip)
        write_zip(autograder_zip, for_grader)
        solution = out / slug / f"{slug}-solution.ipynb"
        solution.write_text(solved_notebook(sources.master), encoding="utf-8")
        built.append(BuiltAssignment(sources.master.assignment, student_zip, autograder_zip, solution))
    return built


def check_stale(slugs: Sequence[str], repo: Path) -> list[str]:
    """Paths below `assignments/` that are not what the masters give: changed, missing or left over."""
    repo = _checked(repo)
    stale = []
    for sources in _prepare(slugs, repo):
        folder = repo / "assignments" / sources.slug
        wanted = student_files(repo, sources.master, sources.checks, sources.otter)
        there = {name: (folder / name).read_bytes() for name in _present(folder)}
        names = sorted(wanted.keys() | there.keys())
        stale += [f"assignments/{sources.slug}/{name}" for name in names if wanted.get(name) != there.get(name)]
    return stale


def _checked(repo: Path) -> Path:
    if not is_repo(repo):
        raise RepositoryError(f"building needs the repository, and {repo} is not a checkout of Deepmarks")
    return repo.resolve()


def _prepare(slugs: Sequence[str], repo: Path) -> list[_Sources]:
    problems: list[Problem] = []
    loaded: list[tuple[Master, CheckSet]] = []
    for slug in slugs:
        with gathering(problems):
            loaded.append(load_sources(slug, repo))
    if problems:
        raise AuthoringError(problems)
    return [_Sources(master, checks, run_otter_assign(master, checks)) for master, checks in loaded]


def _present(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not _LEFT_BY_USE.intersection(parts):
            yield "/".join(parts)


def _replace_folder(folder: Path, files: Files) -> None:
    """Make `folder` hold exactly `files`; files that are right already keep their times."""
    for name in list(_present(folder)):
        if name not in files:
            (folder / name).unlink()
    for name, data in files.items():
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)
