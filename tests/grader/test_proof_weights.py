"""The checkpoints that a proof hands in, and the packing of official test data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deepmarks.checkpoints import safetensors_arrays
from deepmarks.datasets import load_packed
from deepmarks_grader.authoring import AuthoringError, load_master, load_mutants
from deepmarks_grader.calibration.packing import pack_data
from deepmarks_grader.errors import UserError
from deepmarks_grader.proof.cases import CaseKind, read_cases
from deepmarks_grader.proof.weights import checkpoint_of

MAKER = """
import torch
from pathlib import Path

def make(solution, kind, device):
    with (Path(__file__).parent / "calls").open("a") as calls:
        calls.write(kind + " ")
    if kind == "garbage":
        return b"garbage"
    return {"w": torch.full((2,), solution.mean(torch.tensor([1.0, 3.0]).numpy()) if kind == "reference" else 0.0)}
"""
MUTANT = """
[[mutant]]
name = "q2_untrained"
question = "q2"
mistake = "hands in a net that was never trained"
says = "never trained"
checkpoint = "%s"
"""


@pytest.fixture
def repo(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEEPMARKS_CACHE", str(tmp_path / "cache"))
    shutil.copytree(repository / "tests" / "fixtures" / "authoring", tmp_path / "repo")
    (tmp_path / "repo/autograder/checks/mini/checkpoints.py").write_text(MAKER)
    return tmp_path / "repo"


def calls(repo: Path) -> list[str]:
    return (repo / "autograder/checks/mini/calls").read_text().split()


def solution(repo: Path) -> str:
    return load_master(repo / "solutions/mini/master.py").solution_source


def test_a_checkpoint_is_made_once_and_again_when_the_solution_changes(repo):
    text = solution(repo)
    for _ in range(2):
        attachment = checkpoint_of("mini", repo, "reference", text)
        assert attachment.name == "mini.safetensors"
        assert safetensors_arrays(attachment.data)["w"].tolist() == [2.0, 2.0]
    assert calls(repo) == ["reference"]
    checkpoint_of("mini", repo, "reference", text + "\n# changed\n")
    assert calls(repo) == ["reference"] * 2
    assert checkpoint_of("mini", repo, "garbage", text).data == b"garbage"


def test_a_committed_checkpoint_is_taken_as_it_is(repo):
    (repo / "autograder/checks/mini/reference.safetensors").write_bytes(b"committed")
    assert checkpoint_of("mini", repo, "reference", "").data == b"committed"


def test_most_assignments_have_no_checkpoint(repo):
    (repo / "autograder/checks/mini/checkpoints.py").unlink()
    assert checkpoint_of("mini", repo, "reference", "") is None
    assert checkpoint_of("mini", repo, "none", "") is None
    with pytest.raises(UserError, match="it makes the checkpoint 'untrained'"):
        checkpoint_of("mini", repo, "untrained", "")


def add_mutant(repo: Path, kind: str) -> None:
    with (repo / "autograder/checks/mini/mutants.toml").open("a") as file:
        file.write(MUTANT.replace("%s", kind))


def test_cases_hand_in_what_they_should(repo):
    add_mutant(repo, "untrained")
    held = {case.name: case.submission().attachments for case in read_cases("mini", repo)}
    assert safetensors_arrays(held["reference"][0].data)["w"].tolist() == [2.0, 2.0]
    assert safetensors_arrays(held["q2_untrained"][0].data)["w"].tolist() == [0.0, 0.0]
    assert held["skeleton"] == ()
    others = [case for case in read_cases("mini", repo) if case.kind in (CaseKind.MUTANT, CaseKind.ACCEPTED)]
    assert all(case.submission().attachments for case in others)


def test_checkpoints_are_made_for_the_cases_that_are_graded(repo):
    add_mutant(repo, "untrained")
    assert {case.name for case in read_cases("mini", repo)} >= {"reference", "q2_untrained"}
    assert not (repo / "autograder/checks/mini/calls").exists()


def test_an_accepted_variant_may_name_its_checkpoint(repo):
    folder = repo / "autograder/checks/mini/accepted"
    folder.mkdir(exist_ok=True)
    (folder / "other_weights.py").write_text("# Unusual weights.\n# checkpoint: untrained\n")
    held = {case.name: case for case in read_cases("mini", repo)}
    (attachment,) = held["other_weights"].submission().attachments
    assert safetensors_arrays(attachment.data)["w"].tolist() == [0.0, 0.0]


def test_a_mutant_may_differ_in_its_checkpoint_alone(repo):
    master = load_master(repo / "solutions/mini/master.py")
    file = repo / "autograder/checks/mini/mutants.toml"
    add_mutant(repo, "none")
    mutant = load_mutants(file, master)[-1]
    assert (mutant.checkpoint, mutant.apply("x = 1\n")) == ("none", "x = 1\n")
    add_mutant(repo, "../secret")
    with pytest.raises(AuthoringError, match="a name in small letters"):
        load_mutants(file, master)


def test_packed_images_are_found_by_hidden_checks(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPMARKS_DATA", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="no hidden checks yet"):
        pack_data("a4_mnist_resnet", tmp_path, "offline")
    folder = tmp_path / "autograder/checks/a4_mnist_resnet/hidden"
    folder.mkdir(parents=True)
    path, images = pack_data("a4_mnist_resnet", tmp_path, "offline", 100)
    assert path == folder / "official.npz"
    assert len(load_packed(folder)) == len(images) == 100
    with pytest.raises(UserError, match="has no image data"):
        pack_data("a1_backprop", tmp_path, "offline")


def test_packed_images_are_not_committed(repository):
    assert "autograder/checks/*/hidden/official.npz" in (repository / ".gitignore").read_text()
