"""The files of a calibration: every run for staff, bands and summaries for everybody."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics as plain
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepmarks.calibration import CALIBRATION_NAME
from deepmarks_grader.calibration.definition import REFERENCE, Definition
from deepmarks_grader.calibration.statistics import LEAST_SEEDS, best_of_variant, threshold
from deepmarks_grader.errors import UserError
from deepmarks_grader.grading.results import write_atomically


@dataclass
class Case:
    """The runs of the reference or of one variant."""

    digest: str
    """Of everything that the values depend on; runs of another digest are thrown away."""
    runs: dict[int, dict[str, float]] = field(default_factory=dict)
    """Seed -> metrics, with `seconds`."""

    def values(self, metric: str) -> list[float]:
        """The values of one metric, by seed."""
        return [self.runs[seed][metric] for seed in sorted(self.runs)]


@dataclass
class Record:
    """The calibration with the data of one source."""

    source: str
    about: dict[str, Any] = field(default_factory=dict)
    """Machine, versions, device and date of the last run."""
    cases: dict[str, Case] = field(default_factory=dict)

    def values(self, case: str, metric: str) -> list[float]:
        """The values of a metric in one case; none if it was not run."""
        return self.cases[case].values(metric) if case in self.cases else []


class Store:
    """All runs of an assignment, on disk after every change."""

    def __init__(self, checks: Path, slug: str) -> None:
        self.file = checks / CALIBRATION_NAME
        self.public_file = checks / "public" / CALIBRATION_NAME
        self.slug = slug
        self.records: dict[str, Record] = dict(self._read())

    def record(self, source: str) -> Record:
        """The record of one source, empty if it is new."""
        return self.records.setdefault(source, Record(source))

    def save(self) -> None:
        """Write every run."""
        sources = {
            record.source: {
                "about": record.about,
                "cases": {name: {"digest": c.digest, "runs": c.runs} for name, c in record.cases.items()},
            }
            for record in self.records.values()
        }
        _write(self.file, {"slug": self.slug, "sources": sources})

    def save_public(self, definition: Definition) -> None:
        """Write bands and summaries of every source that has enough runs."""
        sources = {}
        for record in self.records.values():
            if record.values(REFERENCE, next(iter(definition.metrics))):
                metrics = {name: public_metric(definition, record, name) for name in definition.metrics}
                sources[record.source] = {"about": record.about, "metrics": metrics}
        _write(self.public_file, {"slug": self.slug, "sources": sources})

    def _read(self) -> Iterator[tuple[str, Record]]:
        if not self.file.is_file():
            return
        try:
            data = json.loads(self.file.read_text(encoding="utf-8"))
            for source, part in data["sources"].items():
                cases = {
                    name: Case(case["digest"], {int(seed): run for seed, run in case["runs"].items()})
                    for name, case in part["cases"].items()
                }
                yield source, Record(source, part["about"], cases)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{self.file} is damaged ({error}); delete it and calibrate again") from error


def top_threshold(definition: Definition, record: Record, metric: str) -> float:
    """The threshold of a metric's top band."""
    described = definition.metrics[metric]
    values = record.values(REFERENCE, metric)
    return threshold(values, described.direction, described.test_size, fresh=described.fresh)


def public_metric(definition: Definition, record: Record, name: str) -> dict[str, Any]:
    """What everybody may know about one metric."""
    metric = definition.metrics[name]
    top = top_threshold(definition, record, name)
    scale = [
        {"name": band, "threshold": _rounded(metric.floor + share * (top - metric.floor), metric.test_size)}
        for band, share in sorted(definition.bands.items(), key=lambda item: -item[1])
    ]
    variants = {variant: summary(values) for variant in definition.variants if (values := record.values(variant, name))}
    return {
        "direction": metric.direction,
        "test_size": metric.test_size,
        "floor": metric.floor,
        "bands": scale,
        "reference": summary(record.values(REFERENCE, name)),
        "variants": variants,
    }


def overlaps(definition: Definition, record: Record) -> list[str]:
    """The known-bad variants that may pass the top band of every metric; those that have hardly run are left out."""
    found = []
    for variant in definition.variants:
        if variant not in record.cases or len(record.cases[variant].runs) < LEAST_SEEDS:
            continue
        kept_out = False
        for name, metric in definition.metrics.items():
            values = record.values(variant, name)
            top = top_threshold(definition, record, name)
            best = best_of_variant(values, metric.direction)
            kept_out = kept_out or (best < top if metric.direction == "higher" else best > top)
        if not kept_out:
            found.append(variant)
    return found


def summary(values: list[float]) -> dict[str, float]:
    """Count, mean, standard deviation and range."""
    sd = plain.stdev(values) if len(values) > 1 else 0.0
    numbers = {"mean": plain.fmean(values), "sd": sd, "low": min(values), "high": max(values)}
    return {"count": len(values), **{name: float(f"{value:.6g}") for name, value in numbers.items()}}


def about(device: str, date: str) -> dict[str, Any]:
    """The machine and the versions that the values come from; the date is the caller's."""
    import numpy
    import torch

    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": numpy.__version__},
        "date": date,
    }


def _rounded(value: float, test_size: int | None) -> float:
    """Accuracies down to whole answers, so that a threshold is a possible result; others to six digits."""
    if test_size is None:
        return float(f"{value:.6g}")
    return math.floor(value * test_size + 1e-9) / test_size


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())
