"""The demonstration's samples."""

from __future__ import annotations

from pathlib import Path

from deepmarks.submission import Attachment, read_path
from deepmarks_grader.authoring import load_master
from deepmarks_grader.demo import write_samples

MASTER = Path(__file__).parents[2] / "solutions" / "a1_backprop" / "master.py"


def test_samples_carry_the_weights_that_the_assignment_asks_for(tmp_path: Path) -> None:
    samples = write_samples(load_master(MASTER), tmp_path, Attachment("mini.safetensors", 3, b"abc"))
    found = {path.stem: read_path(path).attachments for path in samples}
    assert found.pop("skeleton") == ()
    assert len(found) == 3
    for attachments in found.values():
        assert [(file.name, file.data) for file in attachments] == [("mini.safetensors", b"abc")]


def test_samples_without_weights_are_notebooks(tmp_path: Path) -> None:
    samples = write_samples(load_master(MASTER), tmp_path)
    assert {path.suffix for path in samples} == {".ipynb"}
    assert all(read_path(path).units for path in samples)
