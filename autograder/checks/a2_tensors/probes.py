"""What must run beside the student's code: memory, graphs, files, and loops that watch what happens."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import tempfile
import weakref

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

# ------------------------------------------------------------------------------------------------ q1: memory


def memory(student, data, array, layout="plain"):
    """Parts 1 and 2 of make_tensors, before and after writing into the array and into `shared`.

    `layout` lays the array out in memory first: "plain", "transposed" or "every other".
    """
    own = np.array(array)
    if layout == "transposed":
        own = np.array(array.T).T
    elif layout == "every other":
        wide = np.zeros((2 * array.shape[0], *array.shape[1:]), array.dtype)
        own = wide[::2]
        own[...] = array
    parts = list(student.make_tensors(data, own))
    found = {"shared": _value(parts[1]), "copied": _value(parts[2]), "array": own.copy()}
    own += 1
    found["shared after the array changed"] = _value(parts[1])
    found["copied after the array changed"] = _value(parts[2])
    parts[1].mul_(3)
    found["array after shared changed"] = own.copy()
    found["copied after shared changed"] = _value(parts[2])
    parts[2].zero_()
    found["array after copied changed"] = own.copy()
    return found


def _value(item):
    return item.detach().clone() if isinstance(item, torch.Tensor) else item


# ------------------------------------------------------------------------------- q2: views as arguments and results


def on_strided(student, name, t, *args):
    """The result of a function on a tensor with the entries of `t` that is not contiguous, and whether all is kept."""
    wide = torch.zeros(t.shape[1], 2 * t.shape[0] + 1, dtype=t.dtype, device=t.device)
    strided = wide[:, 1::2].T
    strided.copy_(t)
    before = wide.clone()
    result = getattr(student, name)(strided, *args)
    return result, torch.equal(wide, before)


def write_into_result(student, t, j):
    """zero_column(t, j), and t itself before and after writing into that result."""
    own = t.clone()
    result = student.zero_column(own, j)
    kept, after_call = result.clone(), own.clone()
    result.fill_(1)
    return kept, after_call, own.clone()


# ------------------------------------------------------------------------------------------ q3, q4: how it is done


class _Operators(TorchDispatchMode):
    """Counts the operators that run."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


class _Functions(TorchFunctionMode):
    """Notes the names of the torch functions and tensor methods that are called."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names.add(str(getattr(func, "__name__", "")))
        return func(*args, **(kwargs or {}))


def effort(student, name, *args):
    """How many torch operators and how many lines of the student's code run in a call."""
    function = getattr(student, name)
    lines = 0
    home = getattr(function, "__globals__", None)

    def trace(frame, event, argument):
        nonlocal lines
        if frame.f_globals is not home:
            return None
        lines += 1
        return trace

    previous = sys.gettrace()
    with _Operators() as operators:
        sys.settrace(trace)
        try:
            function(*args)
        finally:
            sys.settrace(previous)
    return operators.count, lines


def torch_functions(student, name, *args):
    """The result of a call and the sorted names of the torch functions that the student's code calls in it."""
    function = getattr(student, name)
    with _Functions() as functions:
        result = function(*args)
    return result, sorted(functions.names)


def _pairs(values):
    """Pairs of tensors by what is special about them; `values` is (4, 6)."""
    base = values.clone()
    other = values.clone()
    rows = base[1:]
    return {
        "a tensor and itself": (base, base),
        "a tensor and its transpose": (base, base.T),
        "a tensor and a row in its middle": (base, base[2]),
        "a tensor and its clone": (base, base.clone()),
        "two equal tensors made separately": (base, other),
        "a tensor and rows picked by a list": (base, base[[0, 1]]),
        "two different slices of one tensor": (base[0], base[3]),
        "two columns of one tensor": (base[:, 1], base[:, 4]),
        "a view of a view and a view": (rows[:, 2:].T, base[:2]),
        "a tensor and its reshape": (base, base.reshape(3, 8)),
        "a tensor and the reshape of its transpose": (base, base.T.reshape(-1)),
        "a detached tensor and the original": (base.detach(), base[1:]),
        "an expanded row and the tensor": (base[0].expand(5, 6), base),
        "a slice of a tensor and the same slice of its copy": (base[1:3], other[1:3]),
        "a tensor that requires gradients and a view of it": _leaf_and_view(values),
        "two pieces from split": base.split(2)[::-1],
        "a view with another dtype": (base, base.view(torch.int64 if base.dtype == torch.float64 else torch.int32)),
        "a tensor and a sum that equals it": (base, base + 0),
        "a contiguous version of a transpose": (base, base.T.contiguous()),
        "a contiguous version of what is contiguous": (base, base.contiguous()),
        "the two ends of a large tensor": _ends(values),
    }


def _ends(values):
    large = values.repeat(2000, 1)
    return large[0], large[-1]


def _leaf_and_view(values):
    leaf = values.clone().requires_grad_(True)
    return leaf, leaf[1:]


def storage_sharing(student, values, names):
    """What is_view says, by the names of pairs in `names`, of each pair in both orders."""
    function = student.is_view
    found = {}
    for name, (a, b) in _pairs(values).items():
        if name in names:
            found[name] = function(a, b)
            found[name + ", exchanged"] = function(b, a)
    return found


# ------------------------------------------------------------------------------------------------ q5: no traces


def traces(student, x, y, w, b, requires_grad=False, times=1):
    """The result of logistic_grads, and what it leaves behind; called several times on the same tensors."""
    x, y, w, b = (item.clone() for item in (x, y, w, b))
    w.requires_grad_(requires_grad)
    b.requires_grad_(requires_grad)
    for _ in range(times):
        result = student.logistic_grads(x, y, w, b)
    parts = list(result) if isinstance(result, tuple | list) else [result]
    attached = [isinstance(part, torch.Tensor) and (part.requires_grad or part.grad_fn is not None) for part in parts]
    # The values as they are now, before anything that shares their memory is touched.
    values = tuple(part.detach().clone() if isinstance(part, torch.Tensor) else part for part in parts)
    return {
        "result": values,
        "attached": attached,
        "w.grad": w.grad is not None,
        "b.grad": b.grad is not None,
        "w.requires_grad": w.requires_grad,
        "b.requires_grad": b.requires_grad,
        "x.requires_grad": x.requires_grad or x.grad is not None,
        "w is a leaf": w.is_leaf and b.is_leaf,
        "w": w.detach(),
        "b": b.detach(),
        "gradients are recorded": torch.is_grad_enabled(),
    }


# ------------------------------------------------------------------------------------------------ q6: autograd


def cube(student, x, g, u):
    """The output of CubeSigmoid, its vector-Jacobian product with `g`, and the gradients of <that, u> for x and g.

    The last two are None where nothing comes through, and "error" where the backward pass cannot be differentiated.
    """
    leaf = x.detach().clone().requires_grad_(True)
    cotangent = g.detach().clone().requires_grad_(True)
    y = student.CubeSigmoid.apply(leaf)
    (first,) = torch.autograd.grad(y, leaf, cotangent, create_graph=True)
    found = {"y": y.detach(), "dx": first.detach(), "ddx": None, "ddg": None}
    if first.requires_grad:
        try:
            found["ddx"], found["ddg"] = torch.autograd.grad(first, (leaf, cotangent), u, allow_unused=True)
            if found["ddx"] is None and found["ddg"] is None:
                first.backward(u)  # reaches the node that once_differentiable plants
        except NotImplementedError:
            raise
        except RuntimeError:
            found["ddx"] = found["ddg"] = "error"
    return found


def hand_written(student, x, g):
    """How CubeSigmoid is made: (is it a torch.autograd.Function, how often autograd runs in one backward pass).

    It counts as a Function only if the node of the result is its own, so that apply calls the student's backward.
    """
    import torch.autograd as autograd
    import torch.autograd.forward_ad as forward_ad
    from torch.autograd import graph

    leaf = x.detach().clone().requires_grad_(True)
    original, runs = graph._engine_run_backward, 0

    def run_backward(*args, **kwargs):
        nonlocal runs
        runs += 1
        return original(*args, **kwargs)

    enter = forward_ad.enter_dual_level

    def enter_dual_level():
        nonlocal runs
        runs += 1
        return enter()

    graph._engine_run_backward = autograd._engine_run_backward = run_backward
    forward_ad.enter_dual_level = enter_dual_level
    try:
        y = student.CubeSigmoid.apply(leaf)
        torch.autograd.grad(y, leaf, g)
    finally:
        graph._engine_run_backward = autograd._engine_run_backward = original
        forward_ad.enter_dual_level = enter
    kind = student.CubeSigmoid
    if not (isinstance(kind, type) and issubclass(kind, torch.autograd.Function)):
        return False, runs
    own = isinstance(y.grad_fn, torch.autograd.function.BackwardCFunction)
    return own and isinstance(y.grad_fn, kind._backward_cls), runs


def accumulation(student, a, xs, times=1):
    """What accumulate gives for fn(x) = sum((a @ x) ** 3) / 3 in its last call, and how many graphs live meanwhile.

    A graph keeps the tensors that its backward pass needs; weak references tell whether they still exist.
    """
    kept, alive = [], []
    inputs = [x.clone() for x in xs]

    def living():
        count = sum(reference() is not None for reference in kept)
        if count:
            gc.collect()
            count = sum(reference() is not None for reference in kept)
        return count

    def fn(x):
        alive.append(living())
        product = a @ x
        kept.append(weakref.ref(product))
        return (product * product * product).sum() / 3

    for _ in range(times):
        result = student.accumulate(fn, inputs)
    attached = isinstance(result, torch.Tensor) and result.requires_grad
    return {
        "result": result,
        "alive": max(alive, default=0),
        "alive afterwards": living(),
        "attached": attached,
        "xs": [x.detach() for x in inputs],
    }


def repeated_input(student, a, x, y):
    """What accumulate gives over [x, y, x], where x is twice the same object, for the function of `accumulation`."""
    x, y = x.clone(), y.clone()
    return student.accumulate(lambda z: ((a @ z) ** 3).sum() / 3, [x, y, x])


def _quadratic(a):
    return lambda x: 0.5 * (x * (a @ x)).sum()


def _coupled(a):
    return lambda x: torch.tanh(a @ x).sum() + (x * x).sum() ** 2 / 4


def total_of_entries(student, xs):
    """What accumulate gives for fn(x) = sum(x), whose gradient autograd returns as an expanded 1."""
    return student.accumulate(lambda x: x.sum(), [x.clone() for x in xs])


def hessian(student, kind, a, x, v):
    """hessian_vector_product for 0.5 x.(a x) ("quadratic") or sum(tanh(a x)) + |x|^4 / 4 ("coupled")."""
    f = _quadratic(a) if kind == "quadratic" else _coupled(a)
    return student.hessian_vector_product(f, x.clone(), v.clone())


# ---------------------------------------------------------------------------------------- q7: files and evaluation


_FILE = "weights.pt"


def parameter_count(student, *sizes):
    """The number of trainable parameters of MLP(*sizes)."""
    return sum(p.numel() for p in student.MLP(*sizes).parameters() if p.requires_grad)


def _network(state, like):
    """A small network that is none of the student's, with these weights; with buffers of batch norm in it."""
    network = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3)).to(like.device, like.dtype)
    network.load_state_dict(state)
    return network


def saved(student, state):
    """Save a network with the weights `state`: what lies in the folder then, and what became of the network."""
    save, source = student.save_weights, _network(state, next(iter(state.values())))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, _FILE)
        save(source, path)
        exists = os.path.isfile(path)
        return {
            "exists": exists,
            "plain": exists and _holds_only_numbers(path),
            "files": {entry.name: _bytes(entry.path) for entry in os.scandir(folder) if entry.is_file()},
            "source": dict(source.state_dict()),
        }


def loaded(student, files, other):
    """Load from `files` into a network with the weights `other`; its weights, and whether they can be trained."""
    load, target = student.load_weights, _network(other, next(iter(other.values())))
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        load(target, os.path.join(folder, _FILE))
    return dict(target.state_dict()), all(p.requires_grad for p in target.parameters())


def _bytes(path):
    with open(path, "rb") as file:
        return file.read()


def _holds_only_numbers(path):
    """Whether the file can be read without running code of it: torch's weights-only format, safetensors, npz, JSON."""
    readers = [
        lambda: torch.load(path, map_location="cpu", weights_only=True),
        lambda: _safetensors(path),
        lambda: _arrays(path),
        lambda: _json(path),
    ]
    for read in readers:
        try:
            read()
        except Exception:
            continue
        return True
    return False


def _safetensors(path):
    from safetensors.torch import load_file

    return load_file(path)


def _arrays(path):
    with np.load(path, allow_pickle=False) as archive:
        for name in archive.files:
            if not isinstance(archive[name], np.ndarray):  # a zip file of another kind gives bytes
                raise ValueError(name)


def _json(path):
    import json

    with open(path, encoding="utf-8") as file:
        return json.load(file)


class _Planted:
    """An object that makes a folder when it is unpickled: harmless, and proof that code ran."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def planted_file(student, state, kind):
    """What load_weights does with a file that holds a pickled object beside the weights.

    `kind`: "torch" for the format of torch.save, "pickle" for a plain pickle.
    """
    like = next(iter(state.values()))
    load, target = student.load_weights, _network(state, like)
    with tempfile.TemporaryDirectory() as folder:
        path, mark = os.path.join(folder, _FILE), os.path.join(folder, "ran")
        content = {**{name: value.cpu() for name, value in state.items()}, "extra": _Planted(mark)}
        if kind == "torch":
            torch.save(content, path)
        else:
            with open(path, "wb") as file:
                pickle.dump(content, file)
        refused = False
        try:
            load(target, path)
        except NotImplementedError:
            raise
        except Exception:
            refused = True
        return {"refused": refused, "ran": os.path.exists(mark)}


class _Judged(nn.Module):
    """A linear classifier that turns its logits upside down in training, and notes how it is called."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.drop = nn.Dropout(0.5)
        self.training_seen, self.graph_seen = [], []

    def forward(self, x):
        logits = x.flatten(1) @ self.weight
        self.training_seen.append(self.training)
        self.graph_seen.append(logits.requires_grad)
        return -logits if self.drop.training else logits


def evaluation(student, weight, x, y, batch_size, training, device):
    """What evaluate returns for a linear model on a DataLoader, and what happened to the model."""
    model = _Judged(weight).to(device).train(training)
    loader = DataLoader(TensorDataset(x.cpu(), y.cpu()), batch_size=batch_size)
    recording = torch.is_grad_enabled()
    function = student.evaluate
    try:
        result = function(model, loader, device)
        left_recording = torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(recording)
    return {
        "result": result,
        "in training": any(model.training_seen),
        "calls": len(model.training_seen),
        "graph": any(model.graph_seen),
        "mode": model.training,
        "inner mode": model.drop.training,
        "recording": left_recording,
        "weight": model.weight.detach(),
        "trainable": model.weight.requires_grad,
    }
