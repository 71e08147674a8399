"""Runs the reference and the known-bad variants over seeds, and derives the bands."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deepmarks import devices
from deepmarks_grader.authoring import load_master
from deepmarks_grader.calibration.definition import REFERENCE, Definition, build_solution, read_definition
from deepmarks_grader.calibration.statistics import LEAST_SEEDS
from deepmarks_grader.calibration.store import Case, Record, Store, about, overlaps
from deepmarks_grader.errors import UserError

Heard = Callable[[str, int, dict[str, float]], None]
"""Told the case, the seed and the metrics of each run as it ends."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a calibration came to."""

    slug: str
    definition: Definition
    record: Record
    overlaps: tuple[str, ...]
    """Known-bad variants that may pass the top band; the bands were not written if there are any."""
    complete: bool
    """Whether the reference and every variant have all their seeds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    seeds: int = 20
    device: str = "cpu"
    only: Sequence[str] | None = None
    """Cases by name; None for the reference and every variant."""
    source: str = "offline"
    fresh: bool = False
    """Forget earlier runs of these cases."""
    keep: bool = False
    """Keep earlier runs though the solution's text has changed since."""
    date: str = ""
    variant_seeds: int | None = None
    """How many seeds the known-bad variants get; as many as the reference if None. Few widen their bounds."""

    def seeds_of(self, case: str) -> int:
        """How many seeds `case` gets."""
        return self.seeds if case == REFERENCE or self.variant_seeds is None else self.variant_seeds


def calibrate(slug: str, repo: Path, plan: Plan, heard: Heard = lambda case, seed, metrics: None) -> Calibrated:
    """Run what is missing, store every run as it ends, and write the bands if no variant reaches the top one.

    Raises UserError if calibrate.py is not as it must be or a case or source is unknown.
    """
    checks = repo / "autograder" / "checks" / slug
    definition = read_definition(checks / "calibrate.py")
    solution = load_master(repo / "solutions" / slug / "master.py").solution_source
    if min(plan.seeds, plan.seeds_of("a variant")) < LEAST_SEEDS:
        raise UserError(f"a calibration takes at least {LEAST_SEEDS} seeds")
    if plan.source not in definition.sources:
        raise UserError(f"{slug} has no source {plan.source}; it has {', '.join(definition.sources)}")
    overrides = {REFERENCE: "", **definition.variants}
    chosen = list(plan.only) if plan.only else list(overrides)
    unknown = [name for name in chosen if name not in overrides]
    if unknown:
        raise UserError(f"{slug} has no case {', '.join(unknown)}; it has {', '.join(overrides)}")
    device = devices.resolve(plan.device)
    store = Store(checks, slug)
    record = store.record(definition.sources[plan.source])
    for name in chosen:
        case = _case(record, name, _digest(solution, overrides[name], definition), plan)
        missing = [seed for seed in range(plan.seeds_of(name)) if seed not in case.runs]
        if not missing:
            continue
        with _quiet_plots():
            built = build_solution(solution, overrides[name])
            for seed in missing:
                started = time.monotonic()
                found = definition.measure(built, seed, device, plan.source)
                heard(name, seed, found)
                case.runs[seed] = {**found, "seconds": round(time.monotonic() - started, 3)}
                record.about = about(device, plan.date)
                store.save()
    complete = all(name in record.cases and len(record.cases[name].runs) >= plan.seeds_of(name) for name in overrides)
    reference_done = REFERENCE in record.cases and len(record.cases[REFERENCE].runs) >= LEAST_SEEDS
    found_overlaps = tuple(overlaps(definition, record)) if reference_done else ()
    if reference_done and complete and not found_overlaps:
        store.save_public(definition)
    return Calibrated(slug, definition, record, found_overlaps, complete)


def _case(record: Record, name: str, digest: str, plan: Plan) -> Case:
    case = record.cases.get(name)
    if case is None or plan.fresh or (case.digest != digest and not plan.keep):
        case = record.cases[name] = Case(digest)
    case.digest = digest
    return case


def _digest(solution: str, override: str, definition: Definition) -> str:
    whole = hashlib.sha256()
    for part in (solution, override, definition.digest):
        whole.update(hashlib.sha256(part.encode()).digest())
    return whole.hexdigest()


@contextmanager
def _quiet_plots() -> Iterator[None]:
    """Figures of the solution are drawn nowhere."""
    import matplotlib as mpl

    with mpl.rc_context({"backend": "agg"}):
        yield
