"""What a comparison says: a diagnosis, or the exception that carries it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One difference, named. The sentence holds no values, so that hidden checks may show it."""

    kind: str
    """A slug, such as "transposed"; "different-values" when no hypothesis fits."""
    sentence: str
    detail: str = ""
    """Values: where the difference is largest, what was expected and received there."""


class Mismatch(AssertionError):  # noqa: N818 (an assertion that failed, named as in check50)
    """The student's result differs from the expected one."""

    def __init__(self, sentence: str, kind: str = "different-values", detail: str = "", pointer: str = ""):
        super().__init__(sentence)
        self.sentence = sentence
        self.kind = kind
        self.detail = detail
        self.pointer = pointer
