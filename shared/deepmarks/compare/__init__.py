"""Comparison that names the mistake.

`assert_matches` raises `Mismatch`; `diagnose` returns the same verdict as a `Diagnosis`, or None for a match.
"""

from __future__ import annotations

from deepmarks.compare.match import assert_matches, diagnose
from deepmarks.compare.verdict import Diagnosis, Mismatch

__all__ = ["Diagnosis", "Mismatch", "assert_matches", "diagnose"]
