"""What must run beside the student's code: generators, nets that watch their training, weights that are loaded."""

from __future__ import annotations

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

from deepmarks.checkpoints import batched_logits, load_bytes

# ------------------------------------------------------------------------------- q2, q3: chance


def _generator(device, seed):
    return torch.Generator(device=device).manual_seed(seed)


def _drawn(function, images, rest, seed, **options):
    """function(images, *rest, generator): the generator on the images' device, or on the CPU if it wants it there."""
    if seed is None:
        return function(images, *rest, None, **options)
    try:
        return function(images, *rest, _generator(images.device, seed), **options)
    except RuntimeError as error:
        if images.device.type == "cpu" or "generator" not in str(error):
            raise
        return function(images, *rest, _generator("cpu", seed), **options)


def augmented(student, name, images, rest, seed):
    """What an augmentation makes of the images, with a generator seeded by `seed`, or without one for None."""
    return _drawn(getattr(student, name), images, rest, seed)


def again(student, name, images, rest, seed):
    """Two batches in a row from one generator."""
    function = getattr(student, name)
    made = []

    def both(x, *arguments):
        *others, generator = arguments
        made.extend(function(x, *others, generator) for _ in range(2))

    _drawn(both, images, rest, seed)
    return made[-2:]


def globals_untouched(student, name, images, rest, seed):
    """Whether every global generator is as it was after a call with a generator."""
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), np.random.get_state()[2], random.getstate()
    _drawn(getattr(student, name), images, rest, seed)
    after = torch.get_rng_state(), np.random.get_state()[1], np.random.get_state()[2], random.getstate()
    same_torch = torch.equal(before[0], after[0])
    same_numpy = bool((before[1] == after[1]).all()) and before[2] == after[2]
    return bool(same_torch and same_numpy and before[3] == after[3])


def many_mixtures(student, name, x, y, alpha, classes, seed, count):
    """`count` mixtures in a row from one generator: images (count, N, C, H, W) and targets (count, N, K)."""
    function = getattr(student, name)
    made = []

    def all_of_them(images, *arguments):
        *others, generator = arguments
        made.clear()
        made.extend(function(images, *others, generator) for _ in range(count))

    _drawn(all_of_them, x, (y, alpha, classes), seed)
    return torch.stack([images for images, _ in made]), torch.stack([targets for _, targets in made])


# --------------------------------------------------------------------------------- q4: the network


class _Convolutions(TorchDispatchMode):
    """Notes every convolution: kernel, stride, side of the output, whether it has a bias; and what enters the first."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.entered = None

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if "convolution" in str(function):
            weight, bias, stride = args[1], args[2], args[3]
            self.entered = args[0].detach().clone() if self.entered is None else self.entered
            self.seen.append([*weight.shape, int(stride[0]), int(result.shape[-1]), bias is not None])
        return result


def plan(student, kwargs):
    """The shapes of the parameters of cifar_resnet(**kwargs), and its convolutions; None if it is no module."""
    net = student.cifar_resnet(**kwargs)
    if not isinstance(net, nn.Module):
        return None
    parameters = [list(p.shape) for p in net.parameters()]
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    watch = _Convolutions()
    with torch.no_grad(), watch:
        out = net.eval()(torch.rand(2, 3, 32, 32, device=device))
    return {
        "parameters": parameters,
        "convolutions": watch.seen,
        "out": list(out.shape) if isinstance(out, torch.Tensor) else None,
    }


def filled(student, kwargs, values, x, training):
    """The logits of cifar_resnet(**kwargs) in float64 where all parts of one shape have one value; the stem's input.

    `values` holds tensors by shape ("16,3,3,3") for convolutions and the linear layer, and by channels and part
    ("16 weight") for BatchNorm.
    """
    net = student.cifar_resnet(**kwargs)
    if not isinstance(net, nn.Module):
        return None
    net = net.double().to(x.device)
    # A BatchNorm of three channels may normalise the images.
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.num_features != 3]
    inside = {id(p) for m in norms for p in m.parameters()}
    with torch.no_grad():
        for m in norms:
            if m.weight is None or m.running_mean is None:
                return "norm"
            if f"{m.num_features} weight" not in values:
                return "shape"
            for part in ("weight", "bias", "running_mean", "running_var"):
                getattr(m, part).copy_(values[f"{m.num_features} {part}"])
        for p in net.parameters():
            if id(p) not in inside:
                key = ",".join(map(str, p.shape))
                if key not in values:
                    return "shape"
                p.copy_(values[key])
    watch = _Convolutions()
    with torch.no_grad(), watch:
        logits = net.train(training)(x.clone())
    return logits, watch.entered


# -------------------------------------------------------------------------------- q5: training


class Watched(nn.Module):
    """A small net that notes what it is shown: nothing, all ("all"), or only what it is shown in eval mode ("eval")."""

    def __init__(self, width, classes, keep=""):
        super().__init__()
        layers = []
        for a, b in ((3, width), (width, 2 * width), (2 * width, 2 * width)):
            layers += [nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * width, classes))
        self.keep = keep
        self.shown = []

    def forward(self, x):
        logits = self.body(x)
        mode = self.body[1].training  # the mode of the inner parts is that of a real network
        if self.keep == "all" or (self.keep and not mode):
            self.shown.append((mode, x.detach().float().cpu().clone(), logits.detach().float().cpu().clone()))
        return logits


def _net(width, classes, device, keep=""):
    torch.manual_seed(11)
    net = Watched(width, classes, keep).to(device)
    return net.train()


def _plain(value):
    """A number, or a list of numbers, of whatever kind; None if it is neither."""
    if isinstance(value, torch.Tensor | np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _history(history):
    """The three entries as plain numbers; a missing one is left out. None if it is no dict."""
    if not isinstance(history, dict):
        return None
    return {name: _plain(history[name]) for name in ("loss", "lr", "test_accuracy") if name in history}


def _copy(data):
    return {name: value.detach().cpu().clone() for name, value in data.items()}


def _standard(images):
    """Each channel of each image with mean 0 and a length such that the whole image has length 1: (N, C * H * W).

    It does not change when channels are scaled or shifted, so that images are known again however they are normalised.
    """
    flat = images.float().flatten(2)
    flat = flat - flat.mean(2, keepdim=True)
    return F.normalize(F.normalize(flat, dim=2).flatten(1), dim=1)


def _known(shown, data):
    """Which image of the data each shown one is, how alike they are, and whether it is mirrored.

    Numbers from len(x_train) on stand for test images.
    """
    images = torch.cat([data["x_train"], data["x_test"]])
    if shown.shape[1:] != images.shape[1:]:
        return [-1] * len(shown), [0.0] * len(shown), [False] * len(shown)
    mine = _standard(shown)
    plain, mirrored = mine @ _standard(images).T, mine @ _standard(images.flip(-1)).T
    best, turned = plain.max(1), mirrored.max(1)
    left = turned.values > best.values + 1e-3
    return (
        torch.where(left, turned.indices, best.indices).tolist(),
        torch.where(left, turned.values, best.values).tolist(),
        left.tolist(),
    )


def run(student, data, width, classes, steps, augment, seed, device, batch_size, noise=0):
    """One training run on a small net: its history, whether the net and the data changed, and what was shown to it.

    `noise` seeds the global generators before the run: only `seed` may decide.
    """
    net = _net(width, classes, device, keep="all")
    before = [p.detach().cpu().clone() for p in net.parameters()]
    torch.manual_seed(100 + noise)
    np.random.seed(100 + noise)
    random.seed(100 + noise)
    rates = []

    def note(optimizer, args, kwargs):
        rates.append([float(group["lr"]) for group in optimizer.param_groups])

    own = _copy(data)
    hook = register_optimizer_step_pre_hook(note)
    try:
        history = student.train(net, own, steps, augment, seed, device, batch_size)
    finally:
        hook.remove()
    net.keep = ""
    data = _copy(data)
    shown = []
    for mode, images, logits in net.shown:
        numbers, alike, mirrored = _known(images, data)
        entry = {"training": mode, "numbers": numbers, "alike": alike, "mirrored": mirrored, "logits": logits}
        shown.append(entry)
    pictures = [images for mode, images, _ in net.shown if mode]
    net.shown = []
    moved = [float((p.detach().cpu() - q).abs().max()) for p, q in zip(net.parameters(), before, strict=True)]
    return {
        "history": _history(history),
        "same data": all(
            name in own and own[name].dtype == value.dtype and torch.equal(own[name].cpu(), value)
            for name, value in data.items()
        ),
        "moved": moved,
        "rates": rates,
        "net": _Holder(net),
        "shown": shown,
        "distinct": len({image.numpy().tobytes() for images in pictures for image in images}),
    }


class _Holder:
    """Keeps a net beside the student's code as a handle."""

    def __init__(self, net):
        self.net = net


def answers(student, holder, images, device):
    """The logits of a net that was trained before, in eval mode, for float images."""
    net = holder.net.eval()
    with torch.no_grad():
        return torch.cat([net(part.to(device)).float().cpu() for part in images.split(250)])


def margin(student, runs, width, classes, steps, device, batch_size):
    """For each of several runs (data, seed): the logits of nets trained without and with augmentation.

    Taken are the logits that the net gave when train measured it, so that normalised images are welcome; if it was not
    shown all test images in eval mode, those for the images in [0, 1].
    """
    found = []
    for data, seed in runs:
        pair = []
        for augment in (False, True):
            net = _net(width, classes, device, keep="eval")
            student.train(net, _copy(data), steps, augment, seed, device, batch_size)
            net.keep, shown, net.shown = "", net.shown, []
            pair.append(_measured(net, shown, _copy(data), device))
        found.append(pair)
    return found


def _measured(net, shown, data, device):
    """The last logits of each test image, of those that the net was shown; else what it answers now."""
    first, count, last = len(data["x_train"]), len(data["x_test"]), {}
    for _, images, logits in shown:
        for number, alike, mirrored, row in zip(*_known(images, data), logits, strict=True):
            if number >= first and alike > 0.999 and not mirrored:
                last[number - first] = row
    if len(last) == count:
        return torch.stack([last[i] for i in range(count)])
    return answers(None, _Holder(net), data["x_test"].float() / 255, device)


class Lopsided(nn.Module):
    """A linear classifier with dropout whose logits depend on left and right; it notes how it is called."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.drop = nn.Dropout(0.5)
        self.calls = []

    def forward(self, x):
        self.calls.append((self.drop.training, torch.is_grad_enabled()))
        return self.drop(x.flatten(1)) @ self.weight


def two_looks(student, weight, x, training):
    """What tta_predict returns for a linear classifier, and what happened to it."""
    net = Lopsided(weight).to(x.device).train(training)
    out = student.tta_predict(net, x)
    return {
        "out": out,
        "attached": isinstance(out, torch.Tensor) and out.requires_grad,
        "mode": net.training == training and net.drop.training == training,
        "in training": any(mode for mode, _ in net.calls),
        "calls": len(net.calls),
        "unchanged": torch.equal(net.weight.detach(), weight),
    }


# -------------------------------------------------------------------------------- q6: weights


def load_weights_into(student, data, kwargs):
    """The student's network with the weights, as a handle."""
    return load_bytes(data, student.cifar_resnet(**kwargs))


def logits(student, model, images):
    """The logits for float images in [0, 1], in eval mode."""
    model = model.to(images.device)
    return batched_logits(model, images)


# ----------------------------------------------------------------- stand-ins for earlier parts


def library_pad_and_crop(img, size, top, left, padding):
    """pad_and_crop, in place of the student's."""
    return F.pad(img, (padding,) * 4)[..., top : top + size, left : left + size]


def library_hflip(img):
    """hflip, in place of the student's."""
    return torch.flip(img, (-1,))


def _channels(values, img):
    return torch.as_tensor(values, dtype=img.dtype, device=img.device).view(-1, 1, 1)


def library_normalize(img, mean, std):
    """normalize, in place of the student's."""
    return (img - _channels(mean, img)) / _channels(std, img)


def library_denormalize(img, mean, std):
    """denormalize, in place of the student's."""
    return img * _channels(std, img) + _channels(mean, img)


def library_random_crop_flip(batch, padding, generator):
    """random_crop_flip, in place of the student's."""
    place = batch.device if generator is None else generator.device
    size = batch.shape[-1]
    padded = F.pad(batch, (padding,) * 4)
    top, left = torch.randint(2 * padding + 1, (2, len(batch)), generator=generator, device=place).tolist()
    coins = (torch.rand(len(batch), generator=generator, device=place) < 0.5).tolist()
    out = []
    for image, i, j, coin in zip(padded, top, left, coins, strict=True):
        cut = image[:, i : i + size, j : j + size]
        out.append(cut.flip(-1) if coin else cut)
    return torch.stack(out)


def library_color_jitter(batch, brightness, contrast, generator):
    """color_jitter, in place of the student's."""
    place = batch.device if generator is None else generator.device
    shape = (len(batch), 1, 1, 1)
    b, c = (
        (max(0.0, 1 - v) + (1 + v - max(0.0, 1 - v)) * torch.rand(shape, generator=generator, device=place)).to(batch)
        for v in (brightness, contrast)
    )
    bright = (batch * b).clamp(0, 1)
    weights = torch.tensor([0.2989, 0.587, 0.114]).to(batch).view(3, 1, 1)
    mean = (bright * weights).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    return (mean + c * (bright - mean)).clamp(0, 1)


def library_cutout(batch, size, generator):
    """cutout, in place of the student's."""
    place = batch.device if generator is None else generator.device
    out = batch.clone()
    for image in out:
        i, j = (int(torch.randint(n, (), generator=generator, device=place)) - size // 2 for n in image.shape[1:])
        image[:, max(0, i) : max(0, i + size), max(0, j) : max(0, j + size)] = 0
    return out


def library_mixup(x, y, alpha, num_classes, generator):
    """mixup, in place of the student's."""
    lam, other = _lam_and_partners(x, alpha, generator)
    t = F.one_hot(y, num_classes).float()
    return lam * x + (1 - lam) * x[other], lam * t + (1 - lam) * t[other]


def library_cutmix(x, y, alpha, num_classes, generator):
    """cutmix, in place of the student's: half the width."""
    _, other = _lam_and_partners(x, alpha, generator)
    t = F.one_hot(y, num_classes).float()
    half = x.shape[-1] // 2
    out = x.clone()
    out[..., :half] = x[other][..., :half]
    share = half / x.shape[-1]
    return out, (1 - share) * t + share * t[other]


def _lam_and_partners(x, alpha, generator):
    place = x.device if generator is None else generator.device
    seed = int(torch.randint(2**40, (), generator=generator, device=place))
    lam = float(np.random.default_rng(seed).beta(alpha, alpha)) if alpha else 1.0
    return lam, torch.rand(len(x), generator=generator, device=place).argsort().to(x.device)


def library_soft_cross_entropy(logits, targets, label_smoothing=0.0):
    """soft_cross_entropy, in place of the student's."""
    return F.cross_entropy(logits, targets, label_smoothing=label_smoothing)


def library_cosine_lr(step, total_steps, base_lr, warmup_steps=0, min_lr=0.0):
    """cosine_lr, in place of the student's."""
    if step < warmup_steps:
        return base_lr * step / warmup_steps
    if step >= total_steps:
        return min_lr
    turn = np.pi * (step - warmup_steps) / (total_steps - warmup_steps)
    return float(min_lr + (base_lr - min_lr) * (1 + np.cos(turn)) / 2)


class _Block(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b)
        self.c2, self.n2 = nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b)
        same = a == b and stride == 1
        self.s = nn.Sequential() if same else nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b))

    def forward(self, x):
        return torch.relu(self.n2(self.c2(torch.relu(self.n1(self.c1(x))))) + self.s(x))


def library_cifar_resnet(depth_blocks=(2, 2, 2), width=16, num_classes=10):
    """cifar_resnet, in place of the student's."""
    layers = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    a = width
    for stage, count in enumerate(depth_blocks):
        for i in range(count):
            layers.append(_Block(a, width * 2**stage, 2 if stage and not i else 1))
            a = width * 2**stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(a, num_classes))
