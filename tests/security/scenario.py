"""Scenarios: what is attempted, what must come of it, and how the submission is put together."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCENARIOS = Path(__file__).parent / "scenarios"
CONFIGURATIONS = ("root", "user", "container")
GROUPS = {
    1: "reading hidden files",
    2: "looking into the grader's process",
    3: "secrets in its own memory",
    4: "objects and frames",
    5: "the grading channel",
    6: "abuse of the decoder",
    7: "overwriting results",
    8: "signals and limits",
    9: "monkey-patching and lying objects",
    10: "ends of the process",
    11: "network",
    12: "unix sockets",
    13: "namespaces and privileges",
    14: "rare kernel interfaces",
    15: "persistence",
    16: "processes and threads",
    17: "memory",
    18: "disk and output",
    19: "time",
    20: "submission as data",
    21: "forbidden library functions",
    22: "carrying hidden inputs out",
}
"""The first twenty are numbered as in the threat model of docs/security.md."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One folder below scenarios/, or one variant of it."""

    name: str
    folder: Path
    variant: str
    spec: Mapping[str, Any]

    @property
    def identity(self) -> str:
        """The name in test ids."""
        return f"{self.name}[{self.variant}]" if self.variant else self.name

    @property
    def configurations(self) -> tuple[str, ...]:
        """Where it runs."""
        return tuple(self.spec.get("configurations", CONFIGURATIONS))

    @property
    def needs(self) -> tuple[str, ...]:
        """Layers without which it would be dangerous to run."""
        return tuple(self.spec.get("needs", ()))

    @property
    def slow(self) -> bool:
        """Whether it is left to the nightly run."""
        fast = self.spec.get("fast")
        return bool(self.spec.get("slow", False)) or (fast is not None and self.variant not in fast)

    @property
    def tally(self) -> bool:
        """Whether the submission counts its attempts and says so in a notice."""
        path = self.folder / "submission.py"
        return path.is_file() and "tally.report()" in path.read_text("utf-8")

    def expected(self, key: str, configuration: str, default: Any = None) -> Any:
        """The value of `key` for this variant and configuration; tables named after them come first."""
        found = default
        tables = [
            self.spec,
            self.spec.get("configuration", {}).get(configuration, {}),
            self.spec.get("variant", {}).get(self.variant, {}),
            self.spec.get("variant", {}).get(self.variant, {}).get(configuration, {}),
        ]
        for table in tables:
            found = table.get(key, found)
        return found

    def source(self, words: Mapping[str, str]) -> str:
        """The submission's text for this variant.

        `# include: NAME` is replaced by `_shared/NAME.py` and `@WORD@` by its value. What stands between
        `# --- variant: NAME` and the next such line, or `# --- end`, is left out for other variants.
        """
        lines = []
        block = self.variant
        for line in (self.folder / "submission.py").read_text("utf-8").splitlines():
            if line.startswith("# --- "):
                block = line.partition(": ")[2] or self.variant
                continue
            if block != self.variant:
                continue
            included = line.removeprefix("# include: ")
            shared = SCENARIOS / "_shared" / f"{included}.py"
            lines.append(shared.read_text("utf-8") if included != line else line)
        text = "\n".join(lines) + "\n"
        for word, value in {**words, "VARIANT": self.variant}.items():
            text = text.replace(f"@{word}@", value)
        return text


def load_scenarios() -> list[Scenario]:
    """All scenarios with all their variants, in the order of their names."""
    found = []
    for file in sorted(SCENARIOS.glob("*/expected.toml")):
        spec = tomllib.loads(file.read_text("utf-8"))
        for variant in spec.get("variants", [""]):
            found.append(Scenario(file.parent.name, file.parent, variant, spec))
    return found


def notebook(source: str, outputs: list[Any] | None = None) -> bytes:
    """A notebook with one code cell."""
    cell = {"cell_type": "code", "metadata": {}, "execution_count": 1, "outputs": outputs or [], "source": source}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}).encode()
