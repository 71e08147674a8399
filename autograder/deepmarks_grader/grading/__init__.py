"""One submission in, one result out."""

from __future__ import annotations

from deepmarks_grader.grading.grade import Grade, Grader

__all__ = ["Grade", "Grader"]
