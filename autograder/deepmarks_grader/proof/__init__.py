"""Proves the checks: the reference wins, known wrong answers lose, unusual right ones win."""

from __future__ import annotations

from deepmarks_grader.proof.prove import CaseResult, ProofReport, prove

__all__ = ["CaseResult", "ProofReport", "prove"]
