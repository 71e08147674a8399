"""What a student can mend, said in sentences."""

from __future__ import annotations


class WorkbenchError(Exception):
    """Something about the place, the names or the files is wrong; the message says what, and what to do.

    Notebooks show the message alone, without the traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return str(self).split("\n")


class FolderError(WorkbenchError):
    """No folder with the assignment can be found."""


class UnknownQuestionError(WorkbenchError):
    """The assignment has no such question."""


class HandInError(WorkbenchError):
    """There is nothing that could be handed in."""


class CheckStopped(WorkbenchError, KeyboardInterrupt):  # noqa: N818 - not an error
    """The student stopped a check."""
