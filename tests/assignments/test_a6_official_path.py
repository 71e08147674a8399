"""a6's cell for all of Tiny ImageNet runs from end to end, on a few pictures and with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.conftest import REPOSITORY

from deepmarks.datasets import tiny_imagenet
from deepmarks.torchvision_guard import guard
from deepmarks_grader.authoring import load_master
from deepmarks_grader.authoring.percent import CellKind, read_cells
from deepmarks_grader.authoring.problems import Report
from deepmarks_grader.calibration.definition import build_solution

MASTER = REPOSITORY / "solutions" / "a6_tinyimagenet_transfer" / "master.py"


@pytest.fixture(scope="module")
def names():
    """The names of the solution, with those of the cell that trains on all of Tiny ImageNet."""
    guard()
    from torch.utils.data import DataLoader, Subset
    from torchvision.datasets import ImageFolder

    cells = read_cells(MASTER.read_text(encoding="utf-8"), Report(MASTER))
    cell = next(cell.source for cell in cells if cell.kind is CellKind.CODE and "def official_run(" in cell.source)
    solution = vars(build_solution(load_master(MASTER).solution_source))
    found = {**solution, "DataLoader": DataLoader, "Subset": Subset, "ImageFolder": ImageFolder, "device": "cpu"}
    for name in ("reorganise_train", "replace_head"):
        assert name in found
    exec(compile(cell, "the official cell", "exec"), found)
    return found


def test_it_is_switched_off(names):
    assert names["RUN_OFFICIAL"] is False


def test_a_resnet50_with_random_weights_runs_through_every_step(names, tmp_path: Path):
    folder = tiny_imagenet("offline", copy_to=tmp_path / "tiny")
    torch.manual_seed(0)
    model, history = names["official_run"](folder, backbone_weights=None, epochs=1, batch_size=4, most=6, workers=0)
    assert model.fc.out_features == 12
    assert {key: len(values) for key, values in history.items()} == dict.fromkeys(
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"), 1
    )
    assert sorted(path.name for path in (folder / "val").iterdir() if path.is_file()) == ["val_annotations.txt"]
    assert not list((folder / "train").glob("*/*_boxes.txt"))
