"""The checks engine: what authors of checks write with, and what runs the checks."""

from __future__ import annotations

from deepmarks.checks.author import check_info, expect, fairly, question, student_raises
from deepmarks.checks.errors import Broken, CheckError, NotAttempted, StudentError
from deepmarks.checks.leaderboard import Leaderboard, LeaderboardEntry
from deepmarks.checks.numerics import numerical_vjp
from deepmarks.checks.otter_case import otter_case
from deepmarks.checks.outcomes import Cause, CheckRecord, Outcome, QuestionRecord
from deepmarks.checks.student import ModuleRun, Reference, Student, Vjp
from deepmarks.compare import Mismatch, assert_matches
from deepmarks.wire import Opaque

__all__ = [
    "Broken",
    "Cause",
    "CheckError",
    "CheckRecord",
    "Leaderboard",
    "LeaderboardEntry",
    "Mismatch",
    "ModuleRun",
    "NotAttempted",
    "Opaque",
    "Outcome",
    "QuestionRecord",
    "Reference",
    "Student",
    "StudentError",
    "Vjp",
    "assert_matches",
    "check_info",
    "expect",
    "fairly",
    "numerical_vjp",
    "otter_case",
    "question",
    "student_raises",
]
