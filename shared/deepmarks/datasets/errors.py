"""What can go wrong with data, each with a sentence that says what to do."""

from __future__ import annotations


class DataError(Exception):
    """Data are missing or unusable; the message says why, and what to put where.

    Notebooks show the message alone, without the traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return str(self).split("\n")


class OfflineError(DataError):
    """The server cannot be reached, or the connection broke too often."""


class ChecksumError(DataError):
    """A file is not the one that was published."""


class DiskFullError(DataError):
    """There is no room for the file."""
