"""Runs check files with pytest, in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from deepmarks.checks.author import one_submission
from deepmarks.checks.errors import CheckError
from deepmarks.checks.outcomes import CheckRecord, QuestionRecord
from deepmarks.checks.plugin import CheckPlugin, CheckSession
from deepmarks.manifest import Assignment

_UNUSED_PLUGINS = [
    "cacheprovider",
    "terminal",
    "doctest",
    "junitxml",
    "pastebin",
    "stepwise",
    "unittest",
    "faulthandler",
    "setuponly",
    "setupplan",
    "logging",
    "threadexception",
    "unraisableexception",
    "debugging",
    "legacypath",
    "recwarn",
    "monkeypatch",
    "tmpdir",
    "warnings",
]


def run_checks(folders: Sequence[Path], session: CheckSession) -> list[CheckRecord]:
    """Run every check below `folders` against `session`.

    pytest's own configuration, plugins and conftest files are left out, so that a check behaves the same everywhere.
    Raises CheckError if a check file cannot be collected; KeyboardInterrupt passes through.
    """
    plugin = CheckPlugin(session)
    options = [f"-pno:{name}" for name in _UNUSED_PLUGINS]
    options += ["--import-mode=importlib", "--noconftest", "--capture=no", "-c", os.devnull]
    options += ["--rootdir", str(folders[0].parent), "-o", "python_functions=test_*"]
    with _plain_environment(), _modules_forgotten(folders), one_submission():
        status = pytest.main([*options, *map(str, folders)], plugins=[plugin])
    if plugin.collection_errors:
        raise CheckError("some checks could not be read:\n" + "\n".join(plugin.collection_errors))
    if plugin.interrupt is not None:
        raise plugin.interrupt
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise CheckError(f"pytest stopped with status {int(status)}")
    return plugin.records


def group_by_question(
    assignment: Assignment, records: Sequence[CheckRecord], questions: Sequence[str] | None = None
) -> list[QuestionRecord]:
    """The records of each question of the assignment, in its order."""
    return [
        QuestionRecord(q.name, q.title, tuple(record for record in records if record.question == q.name))
        for q in assignment.questions
        if questions is None or q.name in questions
    ]


@contextmanager
def _modules_forgotten(folders: Sequence[Path]) -> Iterator[None]:
    """No check file stays imported: those of the next assignment have the same module names."""
    packages, before = {folder.name for folder in folders}, set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in packages:
                del sys.modules[name]


@contextmanager
def _plain_environment() -> Iterator[None]:
    """Pytest without the plugins and options of the surrounding environment."""
    changed = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}
    previous = {name: os.environ.get(name) for name in [*changed, "PYTEST_CURRENT_TEST"]}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
