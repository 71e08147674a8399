"""The weights that the reference and the mutants hand in."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def _calibrate():
    path = Path(__file__).with_name("calibrate.py")
    spec = importlib.util.spec_from_file_location("a5_calibrate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make(solution, kind: str, device: str):
    """The network of the reference after one of several trainings."""
    trained = _calibrate().trained
    match kind:
        case "reference":
            # Longer than the calibrated runs, so that it is no question of luck.
            return trained(solution, device, steps=800)
        case "untrained":
            return trained(solution, device, steps=0)
        case "labels_shuffled":
            return trained(solution, device, steps=160, shuffled=True)
        case "no_augmentation":
            return trained(solution, device, augment=False)
        case "too_short":
            return trained(solution, device, steps=30)
    raise ValueError(kind)
