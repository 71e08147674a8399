"""From an assignment's sources to the zips for students and for Gradescope."""

from __future__ import annotations

from deepmarks_grader.authoring.build import (
    BuiltAssignment,
    RepositoryError,
    build,
    check_stale,
    find_repo,
    list_slugs,
    load_sources,
)
from deepmarks_grader.authoring.checks import Check, CheckSet, load_checks
from deepmarks_grader.authoring.master import Master, load_master
from deepmarks_grader.authoring.mutants import Mutant, append_cell, load_accepted, load_mutants
from deepmarks_grader.authoring.problems import AuthoringError, Problem
from deepmarks_grader.authoring.solved import solved_notebook

__all__ = [
    "AuthoringError",
    "BuiltAssignment",
    "Check",
    "CheckSet",
    "Master",
    "Mutant",
    "Problem",
    "RepositoryError",
    "append_cell",
    "build",
    "check_stale",
    "find_repo",
    "list_slugs",
    "load_accepted",
    "load_checks",
    "load_master",
    "load_mutants",
    "load_sources",
    "solved_notebook",
]
