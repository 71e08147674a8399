"""The picture of a calibration for the documentation."""

from __future__ import annotations

from pathlib import Path

from deepmarks_grader.calibration.calibrate import Calibrated
from deepmarks_grader.calibration.definition import REFERENCE
from deepmarks_grader.calibration.store import public_metric

_GOOD, _BAD, _LINE = "#1b7f5c", "#b3483a", "#444444"


def draw(calibrated: Calibrated, path: Path) -> Path:
    """Write a picture with one panel a metric: every value of the reference and the variants, and the bands."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    definition, record = calibrated.definition, calibrated.record
    cases = [REFERENCE, *(name for name in definition.variants if name in record.cases)]
    count = len(definition.metrics)
    figure = Figure(figsize=(8, 0.9 + count * (0.9 + 0.32 * len(cases))), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(count, 1, squeeze=False)[:, 0]
    for panel, name in zip(panels, definition.metrics, strict=True):
        public = public_metric(definition, record, name)
        for row, case in enumerate(cases):
            values = record.values(case, name)
            colour = _GOOD if case == REFERENCE else _BAD
            # Spread a little, by seed, so that equal values can be counted.
            rows = [row + 0.25 * ((seed * 0.618) % 1 - 0.5) for seed in range(len(values))]
            panel.plot(values, rows, "o", color=colour, alpha=0.5, markersize=4)
        for band in public["bands"]:
            panel.axvline(band["threshold"], color=_LINE, linewidth=1, linestyle="--")
            panel.annotate(
                f"{band['name']} {band['threshold']:.3g}",
                (band["threshold"], 1),
                xycoords=("data", "axes fraction"),
                xytext=(2, -3),
                textcoords="offset points",
                rotation=90,
                va="top",
                fontsize=7,
                color=_LINE,
            )
        panel.set_yticks(range(len(cases)), [case.replace("_", " ") for case in cases], fontsize=8)
        panel.invert_yaxis()
        panel.set_xlabel(name.replace("_", " "))
        panel.spines[["top", "right"]].set_visible(False)
    seeds = len(record.values(REFERENCE, next(iter(definition.metrics))))
    figure.suptitle(f"{calibrated.slug}: {seeds} seeds, {record.source}", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path
