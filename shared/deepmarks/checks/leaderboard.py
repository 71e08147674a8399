"""What checks tell the leaderboard."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from deepmarks.checks.errors import CheckError

Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class LeaderboardEntry:
    """One column of the leaderboard, and a submission's value in it."""

    name: str
    value: float
    order: Order = "desc"
    """ "desc" where more is better, "asc" where less is."""


@dataclass(slots=True)
class Leaderboard:
    """Collects the entries of one submission; the fixture `leaderboard` of checks."""

    _entries: dict[str, LeaderboardEntry] = field(default_factory=dict)

    def add(self, name: str, value: float, order: Order = "desc") -> None:
        """Set the column `name`; a later value replaces an earlier one. CheckError unless the value is finite."""
        if not math.isfinite(value) or order not in ("asc", "desc"):
            raise CheckError(f"the leaderboard cannot show {name} = {value!r} in the order {order!r}")
        self._entries[name] = LeaderboardEntry(name, float(value), order)

    @property
    def entries(self) -> tuple[LeaderboardEntry, ...]:
        """The columns, in the order in which they were first named."""
        return tuple(self._entries.values())
