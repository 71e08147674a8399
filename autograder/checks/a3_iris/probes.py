"""What must run beside the student's code: loops that watch their training, and library stand-ins for earlier parts."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# ------------------------------------------------------------------------------------ q2: the network


def parameters_of(model):
    """The trainable parameters of a module by name, detached."""
    return {name: value.detach().cpu().clone() for name, value in model.named_parameters() if value.requires_grad}


def network(student, sizes, x, strict=True):
    """The parameters of a fresh IrisNet(*sizes), and its logits for x. Without sizes, the defaults are used.

    Unless `strict`, a forward pass that raises gives None: the parameters may tell why.
    """
    model = student.IrisNet(*sizes)
    if not isinstance(model, nn.Module):
        return None, None
    model = model.to(x.device, x.dtype)
    try:
        with torch.no_grad():
            return parameters_of(model), model(x)
    except NotImplementedError:
        raise
    except Exception:
        if strict:
            raise
        return parameters_of(model), None


# ------------------------------------------------------------------------------------- q3: loops


class _Watched(nn.Module):
    """A linear classifier whose logits turn around in the wrong mode, and which notes how it is called."""

    def __init__(self, weight, bias, right_mode):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.bias = nn.Parameter(bias.clone())
        self.inner = nn.Dropout(0.5)  # its mode is that of the parts of a real network
        self.right_mode = right_mode
        self.seen = []

    def forward(self, x):
        logits = x @ self.weight + self.bias
        self.seen.append((self.training, len(x)))
        return logits if self.inner.training == self.right_mode else -logits


CRITERIA = {"cross-entropy": nn.CrossEntropyLoss, "margin": nn.MultiMarginLoss}
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.5),
    "momentum": lambda parameters: torch.optim.SGD(parameters, 0.3, momentum=0.8),
    "adam": lambda parameters: torch.optim.Adam(parameters, 0.1),
}


def epochs_of(student, weight, bias, X, y, batch_size, criterion, optimizer, epochs, device):
    """What train_epoch returns in each of several epochs, and the parameters afterwards."""
    model = _Watched(weight, bias, right_mode=True).to(device).train()
    # The loader's tensors stay on the CPU: moving the batches is train_epoch's work.
    loader = DataLoader(TensorDataset(X.cpu(), y.cpu()), batch_size=batch_size)
    steps = OPTIMIZERS[optimizer](model.parameters())
    function = student.train_epoch
    losses = [_plain(function(model, loader, CRITERIA[criterion](), steps, device)) for _ in range(epochs)]
    return {
        "losses": losses,
        "weight": model.weight.detach(),
        "bias": model.bias.detach(),
        "eval": any(not training for training, _ in model.seen),
        "sizes": [size for _, size in model.seen],
    }


def _plain(value):
    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value


def measured(student, weight, bias, X, y, training, device):
    """What accuracy returns for a linear model, and what happened to the model."""
    model = _Watched(weight, bias, right_mode=False).to(device).train(training)
    model.weight.grad = torch.ones_like(model.weight)
    recording = torch.is_grad_enabled()
    function = student.accuracy
    try:
        result = _in_either_form(lambda a, b: function(model, a, b, device), X.cpu(), y.cpu(), tensors_first=True)
        left_recording = torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(recording)
    return {
        "result": _plain(result),
        "attached": isinstance(result, torch.Tensor) and result.requires_grad,
        "calls": len(model.seen),
        "in training": any(mode for mode, _ in model.seen),
        "mode": model.training,
        "inner mode": model.inner.training,
        "recording": left_recording,
        "unchanged": torch.equal(model.weight.detach(), weight) and model.weight.requires_grad,
        "gradient kept": model.weight.grad is not None and bool((model.weight.grad == 1).all()),
    }


def _in_either_form(function, X, y, tensors_first):
    """The result for tensors or for arrays: whether a function takes one or the other, the contract leaves open."""
    tensors = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y, dtype=torch.int64)
    arrays = np.array(X, dtype=np.float64), np.array(y, dtype=np.int64)
    first, second = (tensors, arrays) if tensors_first else (arrays, tensors)
    try:
        return function(*first)
    except (TypeError, AttributeError) as error:
        try:
            return function(*second)
        except Exception:
            raise error from None


# ------------------------------------------------------------------------------------- q4: fit


def fitted(student, X, y, seed, **options):
    """The model that fit returns, as a handle; None if it is no module."""
    model = _fit(student, X, y, seed, options)
    return model if isinstance(model, nn.Module) else None


def _fit(student, X, y, seed, options):
    function = student.fit
    return _in_either_form(lambda a, b: function(a, b, seed, **options), X, y, tensors_first=False)


def keeps_inputs(student, X, y, seed):
    """Whether fit leaves the arrays or tensors as they were."""
    kept = []

    def watched(a, b):
        before = [part.clone() if isinstance(part, torch.Tensor) else part.copy() for part in (a, b)]
        student.fit(a, b, seed, epochs=1)
        kept.append(all(bool((one == two).all()) for one, two in zip(before, (a, b), strict=True)))

    _in_either_form(watched, X, y, tensors_first=False)
    return kept[-1]


def states(student, X, y, seed, epochs, **options):
    """The parameters of the model after each number of epochs in `epochs`; None if a model is no module."""
    found = []
    for count in epochs:
        try:
            model = _fit(student, X, y, seed, {**options, "epochs": count})
        except NotImplementedError:
            raise
        except Exception:
            if count:
                raise
            # Not every loop survives no epochs at all; a learning rate of zero shows the start as well.
            model = _fit(student, X, y, seed, {**options, "epochs": 1, "lr": 0.0})
        if not isinstance(model, nn.Module):
            return None
        found.append(parameters_of(model))
    return found


def predict(student, model, X):
    """The logits of a trained model for an array, in eval mode."""
    kind = next(iter(model.parameters())).dtype
    with torch.no_grad():
        return model.eval()(torch.as_tensor(X).to(kind))


# ----------------------------------------------------------------------- stand-ins for earlier parts


class LibraryIrisNet(nn.Sequential):
    """Linear, ReLU, linear, in place of the student's."""

    def __init__(self, in_features: int = 4, hidden: int = 10, classes: int = 3) -> None:
        super().__init__(nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, classes))


def library_train_epoch(model, loader, criterion, optimizer, device):
    """One epoch, in place of the student's."""
    model.train()
    seen = []
    for inputs, targets in loader:
        inputs, targets = inputs.to(device), targets.to(device)
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        seen.append((len(targets), float(loss.detach())))
    return float(np.average([value for _, value in seen], weights=[size for size, _ in seen])) if seen else 0.0


def library_accuracy(model, inputs, targets, device):
    """The share of right answers, in place of the student's."""
    mode = model.training
    with torch.no_grad():
        scores = model.eval()(torch.as_tensor(inputs, dtype=torch.float32).to(device))
    model.train(mode)
    return float((F.one_hot(scores.argmax(-1), scores.shape[-1]).cpu()[range(len(scores)), targets]).double().mean())


# ------------------------------------------------------------------------------- q5: clusters


def clusterings(student, X, k, seeds, **options):
    """What kmeans returns for each seed."""
    return [student.kmeans(X.copy(), k, seed, **options) for seed in seeds]
