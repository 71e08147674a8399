"""The requirement files of both zips, pinned by the repository's constraints.txt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from deepmarks_grader.authoring.wheels import read_project

STUDENT_PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "matplotlib",
    "scikit-learn",
    "pytest",
    "otter-grader",
    "jupyterlab",
    "ipykernel",
    "rich",
    "safetensors",
    "typer",
)
_BUILD_TOOLS = frozenset({"setuptools", "wheel"})
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([^\s;#]+)")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


class PinError(ValueError):
    """constraints.txt is missing or lacks a package."""


def read_pins(repo: Path) -> dict[str, str]:
    """Normalised package name -> version, from constraints.txt; local parts such as `+cpu` are left out."""
    file = repo / "constraints.txt"
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise PinError(f"{file} cannot be read; it holds the tested versions that the zips pin") from error
    matches = [_PIN.match(line.strip()) for line in text.splitlines()]
    return {_normal(match.group(1)): match.group(2).partition("+")[0] for match in matches if match}


def student_requirements(repo: Path, wheel: str, extras: Sequence[str] = ()) -> str:
    """requirements.txt of the student zip: the wheel beside it, and what it needs at tested versions.

    `extras` are optional dependencies of pyproject.toml that the assignment needs; PinError if one is unknown.
    """
    lines = ["# Run in this folder:  pip install -r requirements.txt", f"./{wheel}"]
    names = [*STUDENT_PACKAGES, *_packages(repo, extras)]
    return "\n".join([*lines, *_pinned(names, read_pins(repo))]) + "\n"


def grader_requirements(repo: Path, extras: Sequence[str] = ()) -> str:
    """requirements.txt of the autograder zip: what both wheels and `extras` need, at tested versions."""
    required = _names(read_project(repo)["project"]["dependencies"])
    names = dict.fromkeys([*required, *_packages(repo, ["grader", *extras])])
    return "\n".join(_pinned(list(names), read_pins(repo))) + "\n"


def _packages(repo: Path, extras: Sequence[str]) -> list[str]:
    """The packages of optional dependencies."""
    known = read_project(repo)["project"]["optional-dependencies"]
    if missing := [extra for extra in extras if extra not in known]:
        raise PinError(f"pyproject.toml has no optional dependencies called {', '.join(missing)}")
    return [name for extra in extras for name in _names(known[extra])]


def _names(requirements: Sequence[str]) -> list[str]:
    # What builds wheels is no use where they are only installed, and `pip freeze` does not pin it.
    matches = [_NAME.match(requirement) for requirement in requirements]
    return [match.group() for match in matches if match and match.group() not in _BUILD_TOOLS]


def _pinned(names: Sequence[str], pins: dict[str, str]) -> list[str]:
    missing = [name for name in names if _normal(name) not in pins]
    if missing:
        raise PinError(f"constraints.txt pins no version of {', '.join(missing)}")
    return [f"{name}=={pins[_normal(name)]}" for name in names]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
