"""Calibrated bands: what an accuracy is worth, read from the file that the calibration wrote.

The file travels with the public checks as `calibration.json`, so that checks, notebook and documentation show the same
numbers. How the thresholds are found is told in `deepmarks_grader.calibration`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

CALIBRATION_NAME = "calibration.json"
TOP_BAND = "full"
CONFIDENCE = 0.95
"""Of the interval that is shown beside an accuracy."""

Direction = Literal["higher", "lower"]


class CalibrationError(ValueError):
    """There is no calibration to read, or not the one that was asked for."""


@dataclass(frozen=True, slots=True)
class Band:
    """One step of a scale."""

    name: str
    """ "full" for the top one."""
    threshold: float
    """What must be reached."""
    direction: Direction = "higher"
    """Which values are better."""

    def reached(self, value: float) -> bool:
        """Whether `value` is as good as the threshold; NaN is not."""
        return value >= self.threshold if self.direction == "higher" else value <= self.threshold


@dataclass(frozen=True, slots=True)
class Summary:
    """The values of one metric over the seeds."""

    count: int
    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MetricBands:
    """One calibrated metric."""

    name: str
    bands: tuple[Band, ...]
    """Best first."""
    test_size: int | None
    """Number of test answers behind an accuracy; None for other metrics."""
    reference: Summary
    variants: Mapping[str, Summary]
    """Known-bad variants."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The public part of a calibration."""

    slug: str
    sources: Mapping[str, Mapping[str, MetricBands]]
    """Source of the data -> name of the metric -> its bands."""

    def metric(self, name: str, source: str | None = None) -> MetricBands:
        """The metric `name`; `source` may be left out where there is only one. CalibrationError if there is none."""
        if source is None:
            if len(self.sources) != 1:
                raise CalibrationError(f"{self.slug} is calibrated for {', '.join(self.sources)}: name one source")
            source = next(iter(self.sources))
        if source not in self.sources:
            raise CalibrationError(f"{self.slug} is not calibrated for {source}; it is for {', '.join(self.sources)}")
        metrics = self.sources[source]
        if name not in metrics:
            raise CalibrationError(f"{self.slug} has no calibrated metric {name}; it has {', '.join(metrics)}")
        return metrics[name]


@dataclass(frozen=True, slots=True)
class BandResult:
    """Where a value lies on a scale."""

    value: float
    bands: tuple[Band, ...]
    correct: int | None = None
    total: int | None = None
    lower: float | None = None
    """Clopper-Pearson interval of the accuracy, at 95 %; None for other metrics."""
    upper: float | None = None

    @property
    def accuracy(self) -> float:
        """The value, for metrics that are accuracies."""
        return self.value

    @property
    def band(self) -> str | None:
        """The best band that is reached; None below all of them."""
        return next((band.name for band in self.bands if band.reached(self.value)), None)

    def reaches(self, name: str) -> bool:
        """Whether the band `name` is reached; CalibrationError if there is no such band."""
        for band in self.bands:
            if band.name == name:
                return band.reached(self.value)
        raise CalibrationError(f"there is no band {name}; there are {', '.join(band.name for band in self.bands)}")

    @property
    def text(self) -> str:
        """The value, how sure it is, and the thresholds, in one line."""
        scale = ", ".join(f"{band.name} from {band.threshold:.4g}" for band in self.bands)
        if self.total is None:
            return f"{self.value:.4g} ({scale})"
        sure = f"95 % interval {self.lower:.3f} to {self.upper:.3f}"
        return f"accuracy {self.value:.4f} ({self.correct} of {self.total}, {sure}; {scale})"


def load_calibration(where: str | Path) -> Calibration:
    """The calibration beside the checks; CalibrationError if there is none.

    `where` is `__file__` of a public or hidden check, the folder of the public checks, or the file itself.
    """
    file = _find(Path(where))
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        sources = {
            source: {name: _metric(name, value) for name, value in part["metrics"].items()}
            for source, part in data["sources"].items()
        }
        return Calibration(data["slug"], sources)
    except OSError as error:
        raise CalibrationError(f"there is no calibration at {file}; `deepmarks-grader calibrate` makes it") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CalibrationError(f"{file} is damaged: {error}") from error


def bands(where: str | Path, metric: str, source: str | None = None) -> tuple[Band, ...]:
    """The bands of `metric`, best first; `where` as in `load_calibration`, `source` as in `Calibration.metric`."""
    return load_calibration(where).metric(metric, source).bands


def accuracy_band(correct: int, total: int, scale: Sequence[Band]) -> BandResult:
    """Where `correct` of `total` right answers lie on a scale.

    The thresholds allow for the chance in a test set of the calibrated size already, so they are compared with the
    plain accuracy. The interval says how sure it is (Clopper and Pearson 1934).
    """
    if not 0 <= correct <= total or total < 1:
        raise ValueError(f"{correct} of {total} is no accuracy")
    lower, upper = clopper_pearson(correct, total, 1 - (1 - CONFIDENCE) / 2)
    return BandResult(correct / total, tuple(scale), correct, total, lower, upper)


def value_band(value: float, scale: Sequence[Band]) -> BandResult:
    """Where a value that is no accuracy lies on a scale; NaN is below every band."""
    return BandResult(value, tuple(scale))


def clopper_pearson(correct: int, total: int, confidence: float) -> tuple[float, float]:
    """The exact lower and upper bound of a proportion, each with `confidence` (one-sided)."""
    from scipy.special import betaincinv

    miss = 1 - confidence
    lower = 0.0 if correct == 0 else float(betaincinv(correct, total - correct + 1, miss))
    upper = 1.0 if correct == total else float(betaincinv(correct + 1, total - correct, confidence))
    return lower, upper


def _find(path: Path) -> Path:
    if path.suffix == ".py":
        return path.resolve().parent.parent / "public" / CALIBRATION_NAME
    return path / CALIBRATION_NAME if path.is_dir() else path


def _metric(name: str, data: Mapping[str, Any]) -> MetricBands:
    scale = tuple(Band(item["name"], float(item["threshold"]), data["direction"]) for item in data["bands"])
    variants = {variant: Summary(**value) for variant, value in data["variants"].items()}
    return MetricBands(name, scale, data["test_size"], Summary(**data["reference"]), variants)
