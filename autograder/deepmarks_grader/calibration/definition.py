"""What an assignment says about its calibration, in `autograder/checks/<slug>/calibrate.py`."""

from __future__ import annotations

import hashlib
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepmarks.calibration import TOP_BAND, Direction
from deepmarks.submission import compile_unit, read_submission
from deepmarks_grader.authoring.mutants import append_cell
from deepmarks_grader.errors import UserError

REFERENCE = "reference"
DEFAULT_BANDS = {TOP_BAND: 1.0, "good": 0.8, "basic": 0.5}


@dataclass(frozen=True, slots=True)
class Metric:
    """How one of the numbers that `run` returns is judged."""

    direction: Direction = "higher"
    test_size: int | None = None
    """Number of test answers behind an accuracy in the grader's check; None for a metric that is no accuracy."""
    fresh: bool = False
    """Whether every run asks `test_size` images that depend on its seed, just as the check does. The values hold the
    chance in the test set then, and the bands are tighter."""
    floor: float = 0.0
    """What is worth nothing: chance for an accuracy. Lower bands lie between it and the top band."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A `calibrate.py`, read."""

    run: Callable[..., dict[str, float]]
    metrics: Mapping[str, Metric]
    variants: Mapping[str, str]
    """Name -> source of the known-bad overrides."""
    bands: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_BANDS))
    """Name -> share of the way from the floor to the top threshold; the top one is 1."""
    sources: Mapping[str, str] = field(default_factory=lambda: {"offline": "offline data"})
    """Name for `--source` -> what captions say."""
    digest: str = ""

    def measure(self, solution: types.SimpleNamespace, seed: int, device: str, source: str) -> dict[str, float]:
        """The metrics of one run; UserError if some are missing or no numbers."""
        extra = {"source": source} if "source" in inspect.signature(self.run).parameters else {}
        found = self.run(solution, seed, device, **extra)
        if found.keys() != self.metrics.keys():
            raise UserError(f"run returned {', '.join(found)}; METRICS names {', '.join(self.metrics)}")
        return {name: float(value) for name, value in found.items()}


def read_definition(file: Path) -> Definition:
    """The definition in `file`; UserError if it is missing or not as it must be."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} is missing; it says what to calibrate") from error
    module = types.ModuleType("calibrate")
    module.__file__ = str(file)
    exec(compile(text, str(file), "exec"), module.__dict__)
    names: dict[str, Any] = module.__dict__
    for name in ("run", "METRICS", "VARIANTS"):
        if name not in names:
            raise UserError(f"{file} does not define {name}")
    optional = {key: names[key.upper()] for key in ("bands", "sources") if key.upper() in names}
    definition = Definition(
        names["run"], names["METRICS"], names["VARIANTS"], digest=hashlib.sha256(text.encode()).hexdigest(), **optional
    )
    if definition.bands.get(TOP_BAND) != 1.0:
        raise UserError(f"{file}: BANDS must name the top band: {TOP_BAND!r}: 1.0")
    if REFERENCE in definition.variants:
        raise UserError(f"{file}: a variant cannot be called {REFERENCE}")
    return definition


def build_solution(source: str, override: str = "") -> types.SimpleNamespace:
    """The names of the solution in percent format, with the override executed last."""
    text = append_cell(source, override) if override else source
    namespace: dict[str, Any] = {"__name__": "solution", "__builtins__": __builtins__}
    for unit in read_submission(text.encode(), "solution.py").units:
        exec(compile_unit(unit), namespace)
    return types.SimpleNamespace(**namespace)
