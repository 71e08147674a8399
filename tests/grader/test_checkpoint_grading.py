"""Checkpoints and the leaderboard in grading: what was handed in reaches the checks as data, labels stay outside."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import nn

from deepmarks.checkpoints import save_checkpoint
from deepmarks.checks.local import check_namespace
from deepmarks.submission import Attachment, read_folder, read_path, read_submission
from deepmarks.submission.weights import read_with_weights
from deepmarks_grader.bundle import Bundle
from deepmarks_grader.grading import Grader
from deepmarks_grader.grading.many import grade_paths
from deepmarks_grader.grading.results import gradescope_dict, validate

SLUG = "toy_weights"
SOLUTION = "from torch import nn\n\n\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(4, 2))\n"
MANIFEST = {
    "slug": SLUG,
    "title": "Weights",
    "limits": {"call_seconds": 10},
    "questions": [{"name": "q1", "title": "A net", "points": 3, "names": ["net"], "hints": []}],
}
PROBES = """
from deepmarks.checkpoints import batched_logits, load_bytes


def load_weights_into(student, data):
    return load_bytes(data, student.net())


def logits(student, model, images):
    return batched_logits(model, images, 7)
"""
PUBLIC = '''
from deepmarks.checks import expect, question


@question("q1", points=1)
def test_there_is_a_checkpoint(student, checkpoint):
    """A checkpoint is there, and the net loads it."""
    student.probe("load_weights_into", checkpoint.data)
'''
HIDDEN = '''
import torch

from deepmarks.calibration import accuracy_band, Band
from deepmarks.checkpoints import audit_checkpoint, shapes_of
from deepmarks.checks import expect, question


@question("q1", points=2)
def test_the_weights_separate_the_classes(student, reference, checkpoint, leaderboard, torch_rng):
    """The net tells the larger half."""
    wanted = shapes_of(reference.module("net", run=False).state)
    audit = audit_checkpoint(checkpoint.data, names_and_shapes=wanted, max_mb=1)
    x = torch.randn(100, 2, 2, generator=torch_rng)
    y = (x[:, 1].sum(1) > x[:, 0].sum(1)).long()
    model = student.probe("load_weights_into", checkpoint.data)
    found = student.probe("logits", model, x)
    result = accuracy_band(int((found.argmax(1) == y).sum()), 100, [Band("full", 0.95)])
    leaderboard.add("accuracy", result.accuracy)
    leaderboard.add("parameters", audit.parameters, order="asc")
    expect(result.reaches("full"), "The net confuses the classes.", detail=result.text, kind="accuracy")
'''


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("toy")
    for name, text in {
        "assignment.json": json.dumps(MANIFEST),
        "solution.py": SOLUTION,
        "checks/probes.py": PROBES,
        "checks/public/test_q1.py": PUBLIC,
        "checks/hidden/test_q1.py": HIDDEN,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return Bundle.load(folder)


@pytest.fixture(scope="module")
def grader(bundle: Bundle) -> Iterator[Grader]:
    with Grader(bundle, allow_weak_isolation=True) as running:
        yield running


def net(sign: float = 1.0) -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        model[1].weight.copy_(sign * torch.tensor([[1.0, 1, -1, -1], [-1, -1, 1, 1]]))
        model[1].bias.zero_()
    return model


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return save_checkpoint(net(), tmp_path_factory.mktemp("w") / "w.safetensors").read_bytes()


def grade(grader, data=None, name=f"{SLUG}.safetensors"):
    submission = read_submission(SOLUTION.encode(), "submission.py")
    if data is not None:
        submission = replace(submission, attachments=(Attachment(name, len(data), data),))
    return grader.grade(submission)


def sentences(result):
    return [record.sentence for question in result.questions for record in question.records]


def test_good_weights_get_full_marks_and_a_place_on_the_leaderboard(grader, weights):
    result = grade(grader, weights)
    assert (result.score, result.cause) == (3, None), sentences(result)
    entries = [(entry.name, entry.order) for entry in result.leaderboard]
    assert entries == [("accuracy", "desc"), ("parameters", "asc")]
    data = gradescope_dict(result)
    validate(data)
    assert data["leaderboard"][1] == {"name": "parameters", "value": 10.0, "order": "asc"}


def test_a_state_dict_of_torch_is_taken(grader):
    stream = io.BytesIO()
    torch.save(net().state_dict(), stream)
    assert grade(grader, stream.getvalue(), f"{SLUG}.pt").score == 3


def test_without_a_checkpoint_nothing_was_attempted(grader):
    result = grade(grader)
    assert {str(question.outcome) for question in result.questions} == {"not attempted"}
    assert (
        sentences(result)[0] == f"No checkpoint was handed in: put {SLUG}.safetensors beside your file or into the zip."
    )
    assert result.leaderboard == ()
    assert "leaderboard" not in gradescope_dict(result)


def test_another_name_is_said(grader, weights):
    assert "model.safetensors has another name" in sentences(grade(grader, weights, "a/model.safetensors"))[0]


def test_bad_weights_lose_the_hidden_points_only(grader, tmp_path):
    data = save_checkpoint(net(-1), tmp_path / "w").read_bytes()
    result = grade(grader, data)
    assert result.score == 1
    assert "The net confuses the classes." in sentences(result)


@pytest.mark.parametrize("name", [f"{SLUG}.safetensors", f"{SLUG}.pt"])
def test_another_architecture_is_named_in_public_and_hidden_checks(grader, tmp_path, name):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    stream = io.BytesIO()
    torch.save(model.state_dict(), stream)
    data = stream.getvalue() if name.endswith(".pt") else save_checkpoint(model, tmp_path / "w").read_bytes()
    result = grade(grader, data, name)
    assert result.score == 0
    assert all("architecture" in text or "has the shape (3, 4)" in text for text in sentences(result))
    assert result.withheld == ""


def test_a_pickle_is_never_opened(grader, tmp_path):
    import pickle

    mark = tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return (open, (str(mark), "w"))

    stream = io.BytesIO()
    torch.save({"1.weight": Evil()}, stream)
    for data in (pickle.dumps(Evil()), stream.getvalue()):
        result = grade(grader, data)
        assert result.score == 0
        assert result.withheld == ""
    assert not mark.exists()


def test_damaged_bytes_get_a_sentence(grader, weights):
    for data in (b"", weights[:40], b"\x00" * 100):
        result = grade(grader, data)
        assert result.score == 0
        assert all("damaged" in text or "empty" in text for text in sentences(result)), sentences(result)


def test_the_checkpoint_may_lie_beside_the_file_in_the_folder_or_in_the_zip(bundle, weights, tmp_path):
    folder = tmp_path / "handed in"
    folder.mkdir()
    file = folder / "mine.py"
    file.write_text(SOLUTION)
    (folder / f"{SLUG}.safetensors").write_bytes(weights)
    packed = tmp_path / "zip" / "mine2.zip"
    packed.parent.mkdir()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    assert read_folder(folder).attachments[0].data == weights
    assert read_path(packed).attachments[0].data == weights
    beside = read_with_weights(file, SLUG)
    assert beside.attachments[0].data == weights
    assert beside.digest != read_path(file).digest
    grades = list(grade_paths(bundle, [file, packed], tmp_path / "out", allow_weak_isolation=True))
    assert [result.score for result in grades] == [3, 3]
    results = json.loads((tmp_path / "out" / "mine" / "results.json").read_text())
    assert results["leaderboard"][0]["name"] == "accuracy"


def test_a_checkpoint_beside_several_submissions_is_given_to_none(bundle, weights, tmp_path):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(SOLUTION)
    (tmp_path / f"{SLUG}.safetensors").write_bytes(weights)
    paths = [tmp_path / "a.py", tmp_path / "b.py"]
    grades = list(grade_paths(bundle, paths, tmp_path / "out", allow_weak_isolation=True))
    assert [result.score for result in grades] == [0, 0]


def test_a_link_beside_the_file_is_not_followed(weights, tmp_path):
    (tmp_path / "secret").write_bytes(weights)
    (tmp_path / f"{SLUG}.safetensors").symlink_to(tmp_path / "secret")
    (tmp_path / "mine.py").write_text(SOLUTION)
    assert read_with_weights(tmp_path / "mine.py", SLUG).attachments == ()


def test_public_checks_see_the_checkpoint_beside_the_notebook(bundle, weights, tmp_path):
    import shutil

    folder = tmp_path / "assignment"
    shutil.copytree(bundle.root, folder)
    namespace: dict = {}
    exec(SOLUTION, namespace)
    (question,) = check_namespace(folder, namespace)
    assert str(question.outcome) == "not attempted"
    (folder / f"{SLUG}.safetensors").write_bytes(weights)
    (question,) = check_namespace(folder, namespace)
    assert str(question.outcome) == "passed"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_leaderboard_takes_finite_numbers_only(value):
    from deepmarks.checks import CheckError
    from deepmarks.checks.leaderboard import Leaderboard

    with pytest.raises(CheckError):
        Leaderboard().add("accuracy", value)
