"""Checks in the student's own kernel: the same verdict as in grading, and the kernel is left as it was."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest
import torch

from deepmarks.checks import Mismatch, NotAttempted, Opaque, Student, StudentError
from deepmarks.checks.errors import Broken
from deepmarks.checks.local import LocalChannel, check_namespace, local_student
from deepmarks.checks.workspace import Workspace

SOURCE = """
import torch

def double(x):
    return 2 * x

def noisy(n):
    return torch.rand(n)

def uses_double(x):
    return double(x) + 1

def pair(x):
    return x, 2 * x

def in_place(x):
    return x.mul_(2)

def detached(x):
    return x.detach() * 2

def unfinished(x):
    raise NotImplementedError

def make():
    return torch.nn.Linear(2, 2)

def consume(module):
    return type(module).__name__

class Net(torch.nn.Module):
    def __init__(self, n):
        super().__init__()
        self.lin = torch.nn.Linear(n, 2)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.lin(x))

answer = 42
"""

PROBES = """
def call_missing(student):
    return student.no_such_name()

def library_double(x):
    return x * 2
"""


@pytest.fixture
def student():
    namespace: dict = {"__name__": "notebook"}
    exec(SOURCE, namespace)
    return local_student(namespace, PROBES)


def test_functions_are_called_with_copies(student):
    x = torch.ones(3)
    assert student.double(x).tolist() == [2, 2, 2]
    assert student.value("answer") == 42


def test_a_changed_input_is_a_mistake(student):
    x = torch.ones(3)
    with pytest.raises(Mismatch, match="changes its input number 1"):
        student.in_place(x)
    assert x.tolist() == [1, 1, 1]


def test_the_inputs_of_a_module_are_counted_without_what_it_is_built_from():
    source = "import torch\nclass M(torch.nn.Module):\n    def __init__(self, a, b):\n        super().__init__()\n"
    source += "    def forward(self, x):\n        return x.mul_(2)"
    exec(source, namespace := {"__name__": "notebook"})
    with pytest.raises(Mismatch, match="M changes its input number 1"):
        local_student(namespace, PROBES).module("M", 3, 4, inputs=(torch.ones(3),))


def test_missing_and_unfinished_names_are_not_attempted(student):
    with pytest.raises(NotAttempted, match="nothing is not defined"):
        student.nothing(1)
    with pytest.raises(NotAttempted, match="unfinished still raises NotImplementedError"):
        student.unfinished(1)
    with pytest.raises(NotAttempted):
        student.probe("call_missing")


def test_an_exception_names_its_place(student):
    with pytest.raises(StudentError) as caught:
        student.double("a", 1)
    assert caught.value.sentence == "double raised TypeError."


def test_vjp_differentiates_chosen_inputs(student):
    x, g = torch.randn(3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    assert torch.equal(student.vjp("double", x, cotangent=g).grads[0], 2 * g)
    assert torch.equal(student.vjp("pair", x, cotangent=g, output=1).grads[0], 2 * g)
    assert torch.equal(student.vjp("pair", x, cotangent=(g, g)).grads[0], 3 * g)
    with pytest.raises(Mismatch, match="No gradient flows"):
        student.vjp("detached", x, cotangent=g)
    with pytest.raises(Mismatch, match="not a tensor of the right shape"):
        student.vjp("double", x, cotangent=torch.ones(4))


def test_modules_are_built_loaded_run_and_differentiated(student):
    x, g = torch.randn(5, 3), torch.randn(5, 2)
    lin = torch.nn.Linear(3, 2)
    state = {f"lin.{name}": value for name, value in lin.state_dict().items()}
    run = student.module("Net", 3, state=state, inputs=(x,), cotangent=g)
    assert torch.allclose(run.output, lin(x))
    assert torch.allclose(run.input_grads[0], g @ lin.weight)
    assert torch.allclose(run.param_grads["lin.weight"], g.T @ x)
    assert set(run.state) == {"lin.weight", "lin.bias"}
    assert run.submodules == {
        "lin": "torch.nn.modules.linear.Linear",
        "drop": "torch.nn.modules.dropout.Dropout",
    }
    trained = student.module("Net", 3, state=state, inputs=(x,), train=True, seed=1)
    assert (trained.output == 0).any()
    with pytest.raises(Mismatch, match="no parameter or buffer called other"):
        student.module("Net", 3, state={"other": torch.ones(1)}, inputs=(x,))
    with pytest.raises(Mismatch, match="another shape"):
        student.module("Net", 4, state=state, inputs=(x,))
    with pytest.raises(Mismatch, match=r"is not an nn\.Module"):
        student.module("double", x)


def test_names_that_came_from_the_student_are_not_repeated():
    source = """
import torch
class Net(torch.nn.Module):
    built = 0
    def __init__(self):
        super().__init__()
        Net.built += 1
        self.register_parameter(f"leak{Net.built}", torch.nn.Parameter(torch.ones(2)))
"""
    exec(source, namespace := {"__name__": "notebook"})
    student = local_student(namespace, PROBES)
    state = student.module("Net", run=False).state
    with pytest.raises(Mismatch, match="Net lacks a parameter or buffer that it had"):
        student.module("Net", state=state, run=False)


@pytest.mark.parametrize("field", ["bases", "submodules", "state", "param_grads", "input_grads"])
def test_a_module_record_of_another_form_is_refused(student, monkeypatch, field):
    plain = Workspace._run

    def forged(self, *args):
        return {**plain(self, *args), field: [1, 2, 3] if field == "bases" else "abc"}

    monkeypatch.setattr(Workspace, "_run", forged)
    with pytest.raises(Broken, match="disturbed what the grader hears"):
        student.module("Net", 3, run=False)


def test_objects_stay_with_the_student_and_can_be_passed_back(student):
    handle = student.make()
    assert handle == Opaque(handle.handle, "nn.Module")
    assert student.consume(handle) == "Linear"


def test_a_stand_in_replaces_an_earlier_question_for_one_call(student):
    x = torch.ones(2)
    assert student.call("uses_double", x, stand_in={"double": "torch.neg"}).tolist() == [0, 0]
    assert student.call("uses_double", x, stand_in={"double": "probes.library_double"}).tolist() == [3, 3]
    assert student.uses_double(x).tolist() == [3, 3]


def test_calls_are_seeded_and_leave_the_kernels_generators_alone(student):
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first, second = student.noisy(4), student.noisy(4)
    assert torch.equal(first, second)
    assert not torch.equal(first, student.call("noisy", 4, seed=7))
    assert torch.equal(torch.rand(3), expected)


def test_public_checks_run_against_a_namespace(mini_folder, mini_solution, tmp_path):
    folder = shutil.copytree(mini_folder, tmp_path / "mini")
    namespace: dict = {"__name__": "notebook"}
    exec(mini_solution, namespace)
    questions = check_namespace(folder, namespace)
    assert [(q.name, str(q.outcome), q.score) for q in questions] == [("q1", "passed", 1), ("q2", "passed", 1)]
    exec("def double(x):\n    return -2 * x", namespace)
    (question,) = check_namespace(folder, namespace, ["q1"])
    assert str(question.outcome) == "failed"
    assert "x.softmax" not in question.records[0].sentence
    forbidden = "def double(x):\n    return x.softmax(-1)"
    (question,) = check_namespace(folder, namespace, ["q1"], forbidden)
    assert str(question.outcome) == "broken"


@pytest.mark.parametrize("device", ["meta", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_tensors_are_moved_to_the_device_of_the_run_unless_a_check_keeps_to_the_cpu(device):
    """The meta device stands in for a GPU: it shows where tensors are without one."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    namespace: dict = {"__name__": "notebook", "where": lambda x: str(x[0].device.type)}
    student = Student(LocalChannel(Workspace(namespace, device)))
    assert student.where([torch.ones(2)]) == device
    assert student.on("cpu").where([torch.ones(2)]) == "cpu"
