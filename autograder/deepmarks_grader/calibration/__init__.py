"""Calibration: how good a right solution is, how bad a known-bad one, and what follows for the bands.

The statistics are described in `deepmarks_grader.calibration.statistics`.
"""

from __future__ import annotations

from deepmarks_grader.calibration.calibrate import Calibrated, Plan, calibrate
from deepmarks_grader.calibration.definition import Metric

__all__ = ["Calibrated", "Metric", "Plan", "calibrate"]
