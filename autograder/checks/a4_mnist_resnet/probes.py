"""What must run beside the student's code: networks, transforms, and loops that watch their training."""

from __future__ import annotations

import math
import sys
import types

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from deepmarks.checkpoints import batched_logits, load_bytes


def _plain(value):
    """A number out of a tensor or array of one element; anything else as it is."""
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 else value
    return value.item() if isinstance(value, np.ndarray | np.generic) and value.size == 1 else value


# ------------------------------------------------------------------------------------ q2: the network


def filled(model, seed):
    """The model with every parameter and buffer drawn from `seed`, by name: used BatchNorm statistics too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sorted(model.state_dict().items()):
            if not value.is_floating_point():
                value.fill_(5)
            elif name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
            elif value.ndim == 1:
                value.copy_(0.2 * torch.randn(value.shape, generator=generator))
            else:
                fan_in = value[0].numel()
                value.copy_(torch.randn(value.shape, generator=generator) * fan_in**-0.5)
    return model


def _network(student, classes):
    return student.mnist_resnet18() if classes is None else student.mnist_resnet18(classes)


def architecture(student, classes=None):
    """Names and shapes of a fresh network's state, the names that are trained, and two numbers that tell its weights.

    None if it is no module.
    """
    model = _network(student, classes)
    if not isinstance(model, nn.Module):
        return None
    state = model.state_dict()
    first = next((value for name, value in state.items() if value.ndim == 4), torch.zeros(1))
    return {
        "shapes": {name: tuple(value.shape) for name, value in state.items()},
        "trained": [name for name, value in model.named_parameters() if value.requires_grad],
        "sum": float(first.double().sum()),
        "std": float(first.double().std()),
    }


def network_output(student, images, seed, classes=None, train=False):
    """The logits of a network filled from `seed`, and the sums of its running means afterwards."""
    model = filled(_network(student, classes), seed).to(images.device).train(train)
    if images.dtype == torch.float64:
        model.double()
    with torch.no_grad():
        logits = model(images)
    return logits, [
        float(value.double().sum()) for name, value in sorted(model.state_dict().items()) if "running" in name
    ]


# ------------------------------------------------------------------------------------ q3: transforms


def _bare(value):
    """A plain tensor of one that torchvision's newer transforms have labelled as an image."""
    return value.as_subclass(torch.Tensor) if isinstance(value, torch.Tensor) else value


def transformed(student, pixels, train, times=1):
    """What the transform makes of each image (N, H, W), `times` times; and whether an image was changed."""
    function = student.make_transforms(train)
    if not callable(function):
        return None
    results, changed = [], False
    for one in pixels:
        picture = Image.fromarray(np.array(one, dtype=np.uint8))
        results += [_bare(function(picture)) for _ in range(times)]
        changed |= not np.array_equal(np.asarray(picture), one)
    return {"results": results, "changed": changed}


# --------------------------------------------------------------------------------------- q4: loops


class _Watched(nn.Module):
    """A linear classifier of images whose logits turn around in the wrong mode, and which notes how it is called."""

    def __init__(self, weight, bias, right_mode):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.bias = nn.Parameter(bias.clone())
        self.inner = nn.Dropout(0.5)  # its mode is that of the parts of a real network
        self.right_mode = right_mode
        self.seen = []

    def forward(self, x):
        logits = x.flatten(1) @ self.weight + self.bias
        self.seen.append((self.training, len(x), logits.requires_grad))
        return logits if self.inner.training == self.right_mode else -logits


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.5),
    "momentum": lambda parameters: torch.optim.SGD(parameters, 0.3, momentum=0.8),
    "adam": lambda parameters: torch.optim.Adam(parameters, 0.1),
}


def epochs_of(student, weight, bias, X, y, batch_size, optimizer, epochs, device):
    """What train_one_epoch returns in each of several epochs, and the parameters afterwards."""
    # A model may come in eval mode, for instance from evaluate or from a file.
    model = _Watched(weight, bias, right_mode=True).to(device).eval()
    # The loader's tensors stay on the CPU: moving the batches is train_one_epoch's work.
    loader = DataLoader(TensorDataset(X.cpu(), y.cpu()), batch_size=batch_size)
    steps = OPTIMIZERS[optimizer](model.parameters())
    function = student.train_one_epoch
    losses = [_plain(function(model, loader, steps, device)) for _ in range(epochs)]
    return {
        "losses": losses,
        "weight": model.weight.detach(),
        "bias": model.bias.detach(),
        "eval": any(not training for training, *_ in model.seen),
        "sizes": [size for _, size, _ in model.seen],
    }


def measured(student, weight, bias, X, y, batch_size, training, device):
    """What evaluate returns for a linear model, and what happened to the model."""
    model = _Watched(weight, bias, right_mode=False).to(device).train(training)
    model.weight.grad = torch.ones_like(model.weight)
    loader = DataLoader(TensorDataset(X.cpu(), y.cpu()), batch_size=batch_size)
    function = student.evaluate
    recording = torch.is_grad_enabled()
    try:
        result = function(model, loader, device)
        left_recording = torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(recording)
    parts = list(result) if isinstance(result, tuple | list) else [result]
    return {
        "pair": isinstance(result, tuple | list) and len(parts) == 2,
        "accuracy": _plain(parts[0]),
        "per class": parts[-1],
        "attached": any(isinstance(part, torch.Tensor) and part.requires_grad for part in parts),
        "graph": any(graph for *_, graph in model.seen),
        "images": sum(size for _, size, _ in model.seen),
        "in training": any(mode for mode, *_ in model.seen),
        "mode": model.training,
        "inner mode": model.inner.training,
        "recording": left_recording,
        "unchanged": torch.equal(model.weight.detach(), weight),
        "trainable": model.weight.requires_grad,
        "gradient kept": model.weight.grad is not None and bool((model.weight.grad == 1).all()),
    }


# --------------------------------------------------------------------------- q5: stopping and fitting


def stopping(student, losses, **options):
    """What step says to each loss, and best afterwards, until it says stop."""
    stopper = student.EarlyStopping(**options)
    told = []
    for loss in losses:
        answer = _plain(stopper.step(loss))
        told.append((answer, _plain(stopper.best)))
        if answer:
            break
    return told


def _importable(cls):
    """Make a class findable by its name, as pickle wants it: `fit` may save its whole model."""
    home = sys.modules.setdefault("deepmarks_models", types.ModuleType("deepmarks_models"))
    cls.__module__ = home.__name__
    setattr(home, cls.__name__, cls)
    return cls


@_importable
class _Scripted(nn.Module):
    """A model whose validation losses are known beforehand, whatever the optimiser does.

    An image is (number, 1 if it is for validation, two features). In eval mode the wrong class leads on validation
    image i by lead[epoch, i]; the epoch is a buffer, so it tells which weights the model has. Training images go
    through real weights, and the model notes their losses.
    """

    def __init__(self, lead, inputs, labels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 2))
        self.register_buffer("epoch", torch.tensor(-1))
        self.register_buffer("lead", lead, persistent=False)
        self.register_buffer("inputs", inputs, persistent=False)
        self.register_buffer("labels", labels, persistent=False)
        self.measured = True
        self.shown, self.after, self.weights, self.notes = [], [], [], set()

    def forward(self, x):
        held_out = x[:, 1] > 0
        if held_out.any() and not held_out.all():
            self.notes.add("mixed")
        if held_out.any():
            return self._validation(x)
        logits = x[:, 2:] @ self.weight
        if torch.is_grad_enabled():
            self._train(x, logits)
        return logits

    def _train(self, x, logits):
        if not self.training:
            self.notes.add("training in eval mode")
            return
        if self.measured:
            self.epoch += 1
            self.measured = False
            self.shown.append([])
        rows = x[:, 0].long()
        loss = F.cross_entropy(logits.detach(), self.labels[rows], reduction="sum")
        self.shown[-1].append((len(x), float(loss)))

    def _validation(self, x):
        if self.training:
            self.notes.add("validation in training mode")
        if torch.is_grad_enabled():
            self.notes.add("validation with a graph")
        if not self.measured:
            self.measured = True
            self.weights.append(self.weight.detach().clone())
            with torch.no_grad():
                self.after.append(float(F.cross_entropy(self.inputs[:, 2:] @ self.weight, self.labels)))
        epoch = int(self.epoch)
        lead = (
            self.lead[min(epoch, len(self.lead) - 1), x[:, 0].long()] if epoch >= 0 else torch.full_like(x[:, 0], 9.0)
        )
        # In training mode another loss: dropout and BatchNorm would do the same.
        lead = 1.5 - lead if self.training else lead
        return torch.stack([torch.zeros_like(lead), lead], 1) + 0 * self.weight.sum()


def scripted_fit(student, lead, epochs, lr, seed, batch_size, device):
    """What fit does with a model of known validation losses: its history, and the epoch whose weights remain."""
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(21, 2, generator=generator)
    labels = (features[:, 0] > 0).long()
    numbers = torch.arange(21.0)[:, None]
    inputs = torch.cat([numbers, torch.zeros(21, 1), features], 1)
    count = lead.shape[1]
    held_out = torch.cat([torch.arange(float(count))[:, None], torch.ones(count, 1), torch.zeros(count, 2)], 1)
    model = _Scripted(lead.cpu(), inputs, labels).to(device)
    train = DataLoader(TensorDataset(inputs, labels), 8, shuffle=True)
    val = DataLoader(TensorDataset(held_out, torch.zeros(count, dtype=torch.int64)), batch_size)
    function = student.fit
    history = function(model, train, val, epochs, lr, device, seed)
    return {
        "history": _plain_history(history),
        "epoch": int(model.epoch),
        "weights of": [i for i, weight in enumerate(model.weights) if torch.equal(weight, model.weight.detach())],
        "trained": len(model.shown),
        "notes": sorted(model.notes),
        "shown": [sum(loss for _, loss in epoch) / sum(n for n, _ in epoch) for epoch in model.shown],
        "batches": [float(np.mean([loss / n for n, loss in epoch])) for epoch in model.shown],
        "after": model.after,
    }


def _plain_history(history):
    """A history with plain numbers in it; None if it is no dict of lists."""
    if not isinstance(history, dict):
        return None
    found = {}
    for key, values in history.items():
        if isinstance(values, torch.Tensor | np.ndarray):
            values = values.tolist()
        if not isinstance(values, list | tuple):
            return None
        found[str(key)] = [_plain(value) for value in values]
    return found


def fitted(student, X, y, V, v, epochs, lr, seed, outer, device, dropout=0.2):
    """The history of fit on a small network, its logits for V in eval mode, and how far it has moved.

    The initial weights are always the same; `outer` seeds torch before fit is called.
    """
    with torch.random.fork_rng():
        torch.manual_seed(11)
        layers = nn.Linear(X.shape[1], 24), nn.ReLU(), nn.Dropout(dropout), nn.Linear(24, int(y.max()) + 1)
    model = nn.Sequential(*layers).to(device)
    before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
    train = DataLoader(TensorDataset(X.cpu(), y.cpu()), 16, shuffle=True)
    val = DataLoader(TensorDataset(V.cpu(), v.cpu()), 25)
    function = student.fit
    torch.manual_seed(outer)
    history = function(model, train, val, epochs, lr, device, seed)
    moved = torch.cat([p.detach().flatten() for p in model.parameters()]) - before
    with torch.no_grad():
        logits = model.eval()(V.to(device))
    return {"history": _plain_history(history), "logits": logits, "moved": float(moved.norm())}


# ----------------------------------------------------------------------- stand-ins for earlier parts


class LibraryBlock(nn.Module):
    """A residual block, in place of the student's."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if (in_channels, 1) != (channels, stride):
            adapt = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(adapt, nn.BatchNorm2d(channels))

    def forward(self, x):
        wire = x if self.downsample is None else self.downsample(x)
        return F.relu(wire + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


def library_train_one_epoch(model, loader, optimizer, device):
    """One epoch, in place of the student's."""
    model.train()
    seen = []
    for inputs, targets in loader:
        inputs, targets = inputs.to(device), targets.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        seen.append((len(targets), float(loss)))
    return math.fsum(n * value for n, value in seen) / sum(n for n, _ in seen)


def library_evaluate(model, loader, device):
    """Accuracies, in place of the student's."""
    mode = model.training
    model.eval()
    with torch.no_grad():
        pairs = [(model(inputs.to(device)).cpu(), targets) for inputs, targets in loader]
    model.train(mode)
    scores, targets = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    hits = (scores.argmax(1) == targets).float()
    per_class = torch.stack([hits[targets == c].mean() for c in range(scores.shape[1])])
    return float(hits.mean()), per_class


# ------------------------------------------------------------------------------------ q6: the weights


def load_weights_into(student, data):
    """The student's network with the checkpoint's weights; it stays here as a handle."""
    return load_bytes(data, student.mnist_resnet18())


def weight_of(student, model, name):
    """One tensor of a network; all at once would be more than a reply may hold."""
    return model.state_dict()[name].detach()


def logits(student, model, images):
    """The plain logits for normalised images; labels never come here."""
    return batched_logits(model, images)
