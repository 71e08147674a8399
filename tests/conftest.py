"""Fixtures that several rooms of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

FIXTURES = Path(__file__).parent / "fixtures"
REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def mini_folder() -> Path:
    """The folder of a small, complete bundle: two questions, public and hidden checks, a solution."""
    return FIXTURES / "mini_bundle"


@pytest.fixture(scope="session")
def mini_solution(mini_folder: Path) -> str:
    """A right submission for the small bundle."""
    return (mini_folder / "solution.py").read_text("utf-8")


@pytest.fixture(scope="session")
def mini_grader(mini_folder: Path) -> Iterator[object]:
    """A grader of the small bundle, shared: starting one imports torch."""
    from deepmarks_grader.bundle import Bundle
    from deepmarks_grader.grading import Grader

    with Grader(Bundle.load(mini_folder)) as grader:
        yield grader
