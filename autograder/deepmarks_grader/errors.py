"""Errors that the instructor can mend."""

from __future__ import annotations


class UserError(Exception):
    """Something that was asked for cannot be done; the text says what, why and what to do next."""
