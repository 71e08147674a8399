# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [raw]
# # ASSIGNMENT CONFIG
# slug: a5_cifar_augment
# title: Data augmentation
# limits: {call_seconds: 40, question_seconds: 150, total_seconds: 300}
# %% [markdown]
# # Data augmentation
#
# A network that has seen a thousand pictures often enough knows them by heart. It does not know that a fish
# is still a fish when it swims the other way, or when a cloud passes. You know. Augmentation is how you tell
# the network.
#
# **When you are done you can**
#
# 1. crop, mirror and normalise images, and undo the normalisation to look at them;
# 2. draw random crops, mirror images, brightness, contrast and holes for a whole batch at once, each image
#    on its own, with one generator that decides everything;
# 3. mix images *and labels* (MixUp, CutMix), and train with labels that are probabilities;
# 4. write a learning-rate schedule, and a residual network for 32x32 pixels;
# 5. put it all into one training loop, and measure what augmentation gains, also at test time;
# 6. train a network that is marked on images that you have never seen.
#
# **How to work.** Go from top to bottom. Each question has a stub; replace the line that raises
# `NotImplementedError`, run the cell, then run the check below it. `grader.hint("q1")` gives a first nudge;
# ask again for more. Plan two to three hours. The library functions of torchvision's transforms are a fine
# thing to compare with; here you write them.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x`, `batch` | $(N, C, H, W)$ | images, floats in $[0, 1]$; one image is $(C, H, W)$ |
# | $y$ | `y` | $(N,)$ | classes, whole numbers from 0 |
# | $t$ | `targets` | $(N, K)$ | soft labels: a probability for each of $K$ classes |
# | $\lambda$ | `lam` | a number | how much of the first image is in the mixture |
# | $\eta$ | `lr` | a number | learning rate |
# %%
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
# %%
import deepmarks

grader = deepmarks.Notebook("a5_cifar_augment")
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
# Only for the figures; nothing here is graded.
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from deepmarks.datasets import load_cifar10

plt.rcParams.update({"figure.dpi": 110, "figure.constrained_layout.use": True, "font.size": 9})
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10})
plt.rcParams.update({"legend.frameon": False})
BLUE, ORANGE, GREEN, GREY = "#1f5f99", "#d9731a", "#2e8b57", "#777777"

# "offline": rendered pictures, no download. "official": CIFAR-10 (170 MB, once). See section 6 before you change it.
SOURCE = "offline"
train_set, test_set = load_cifar10(SOURCE, train=True), load_cifar10(SOURCE, train=False)
CLASSES = train_set.class_names


def yours(function, *args, **kwargs):
    """What your function returns, or None while it, or something that it needs, is still a stub."""
    try:
        return function(*args, **kwargs)
    except NotImplementedError:
        return None


def to_do(ax, names):
    """Say in an empty panel what is missing."""
    note = f"fill in {names},\nthen run this cell again"
    ax.text(0.5, 0.5, note, ha="center", va="center", transform=ax.transAxes, bbox={"fc": "#fff6d8", "ec": GREY})
    ax.set(xticks=[], yticks=[])


def show(ax, image, title=""):
    """Draw one image (3, H, W) with values in [0, 1]."""
    ax.imshow(image.detach().cpu().permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=8)
    for side in ax.spines.values():
        side.set_visible(False)


def one_of_each(images, count=10):
    """The first image of each class, float32 (count, 3, 32, 32), and their classes."""
    rows = [int(np.flatnonzero(images.labels == c)[0]) for c in range(count)]
    x, y = images.select(rows).tensors()
    return x, y


# %% [markdown]
# ## The idea
#
# In **words**: many changes of an image do not change what it shows. Make such a change at random each time
# an image is shown, and the network never sees the same picture twice. It must learn what stays.
#
# As a **formula**: let $T$ be a random change that keeps the label. Instead of the mean loss on the images
# as they are, minimise its expectation over the changes too,
#
# $$ \min_\theta \; \frac1N \sum_{i=1}^{N} \; \mathbb{E}_{T} \left[ L\big(f_\theta(T(x_i)),\, y_i\big) \right], $$
#
# estimated with one fresh $T$ per image and step. The formula also says what to be careful with: $T$ must
# keep the label. A mirrored fish is a fish; a mirrored "b" is a "d".
#
# As a **figure**: what the network is trained on, and what it will be asked. With `SOURCE = "offline"` all
# training pictures look to the right, in the middle, in even light. The test pictures do not. CIFAR-10 is kinder, but
# the gap is the same in kind.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, axes = plt.subplots(2, 10, figsize=(10.4, 2.5))
for row, images, name in zip(axes, (train_set, test_set), ("training", "test"), strict=True):
    for ax, image, label in zip(row, *one_of_each(images), strict=True):
        show(ax, image, CLASSES[label] if name == "training" else "")
    row[0].set_ylabel(name, fontsize=10)
fig.suptitle(f"One image per class, training above, test below. Source: {train_set.source}")
plt.show()
# %% [raw]
# # BEGIN QUESTION
# name: q1
# title: Crop, mirror, normalise
# points: 2.5
# names: [pad_and_crop, hflip, normalize, denormalize]
# hints:
#   - >-
#     All four should work for one image (C, H, W) and for a batch (N, C, H, W). Count axes from the end: which
#     one is the width, and which one the channels?
#   - >-
#     F.pad(img, (p, p, p, p)) adds zeros to the last two axes. A slice with ... in front takes the rest of
#     the axes as they are. For the statistics make a tensor of shape (C, 1, 1), which broadcasts against
#     both forms.
#   - >-
#     F.pad(img, (padding,) * 4)[..., top : top + size, left : left + size]; img.flip(-1);
#     mean = torch.as_tensor(mean, dtype=img.dtype, device=img.device).view(-1, 1, 1), std alike; (img - mean)
#     / std, and img * std + mean to go back.
# %% [markdown]
# ## 1. Crop, mirror, normalise
#
# **Pad and crop.** Put $p$ pixels of zeros around the image, then cut out a square of $s$ pixels with its
# corner at row `top` and column `left` *of the padded image*:
#
# $$ \text{out}_{c,i,j} = \text{padded}_{c,\; \text{top}+i,\; \text{left}+j}, \qquad 0 \le i, j < s. $$
#
# With `top = left = padding` and $s = H$ you get the image back. Smaller numbers move the picture down and to
# the right.
#
# **Mirror.** `hflip` exchanges left and right. That is the **last** axis. (Up and down matters to most things
# in a photograph. Left and right to few.)
#
# **Normalise.** Subtract the mean and divide by the standard deviation *of each channel*,
#
# $$ \hat x_{c,i,j} = \frac{x_{c,i,j} - \mu_c}{\sigma_c}, \qquad x_{c,i,j} = \hat x_{c,i,j}\, \sigma_c + \mu_c . $$
#
# The second formula is `denormalize`. You need it whenever you want to look at what goes into a network.
# %% [raw]
# # BEGIN SOLUTION
# %%
def pad_and_crop(img: torch.Tensor, size: int, top: int, left: int, padding: int) -> torch.Tensor:
    """Surround the image with zeros and cut a square out of the result.

    Args:
        img: float (C, H, W) or (N, C, H, W); not modified.
        size: side of the square in pixels.
        top: first row of the square, counted in the padded image.
        left: first column of the square, counted in the padded image.
        padding: rows and columns of zeros on each of the four sides, at least 0.

    Returns:
        (C, size, size) or (N, C, size, size), with the dtype of img.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep CNNs (2012), section 4.1.
    """
    # BEGIN SOLUTION NO PROMPT
    padded = F.pad(img, (padding, padding, padding, padding))
    return padded[..., top : top + size, left : left + size]
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: pad all four sides with zeros, then slice rows and columns
    raise NotImplementedError
    """; # END PROMPT


def hflip(img: torch.Tensor) -> torch.Tensor:
    """Exchange left and right of an image (C, H, W) or of every image of a batch (N, C, H, W)."""
    # BEGIN SOLUTION NO PROMPT
    return img.flip(-1)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: reverse the axis of the columns
    raise NotImplementedError
    """; # END PROMPT


def normalize(
    img: torch.Tensor, mean: Sequence[float] | torch.Tensor, std: Sequence[float] | torch.Tensor
) -> torch.Tensor:
    """Subtract the mean and divide by the standard deviation of each channel.

    Args:
        img: float (C, H, W) or (N, C, H, W); not modified.
        mean: one number per channel: a list, a tuple or a tensor (C,).
        std: one positive number per channel, likewise.

    Returns:
        The shape and dtype of img.
    """
    # BEGIN SOLUTION NO PROMPT
    mean = torch.as_tensor(mean, dtype=img.dtype, device=img.device).view(-1, 1, 1)
    std = torch.as_tensor(std, dtype=img.dtype, device=img.device).view(-1, 1, 1)
    return (img - mean) / std
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: give mean and std the shape (C, 1, 1), then apply the formula
    raise NotImplementedError
    """; # END PROMPT


def denormalize(
    img: torch.Tensor, mean: Sequence[float] | torch.Tensor, std: Sequence[float] | torch.Tensor
) -> torch.Tensor:
    """Undo `normalize` with the same mean and std."""
    # BEGIN SOLUTION NO PROMPT
    mean = torch.as_tensor(mean, dtype=img.dtype, device=img.device).view(-1, 1, 1)
    std = torch.as_tensor(std, dtype=img.dtype, device=img.device).view(-1, 1, 1)
    return img * std + mean
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: solve the formula of normalize for the image
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** From left to right: an image with four pixels of padding and a frame at row 1, column 6 of
# the padded image; what your crop makes of that frame; your mirror image; and the values of the three
# channels before and after your normalisation.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, axes = plt.subplots(1, 5, figsize=(10.8, 2.4), width_ratios=[1.25, 1, 1, 1.5, 1.5])
picture = one_of_each(train_set)[0][4]
show(axes[0], F.pad(picture, (4,) * 4), "padded by 4, frame at (1, 6)")
axes[0].add_patch(Rectangle((5.5, 0.5), 32, 32, fill=False, ec=ORANGE, lw=2))
for ax, name, image in (
    (axes[1], "pad_and_crop", yours(pad_and_crop, picture, 32, 1, 6, 4)),
    (axes[2], "hflip", yours(hflip, picture)),
):
    show(ax, image, name) if image is not None else to_do(ax, name)
some = train_set.tensors()[0][:200]
mean, std = some.mean(dim=(0, 2, 3)), some.std(dim=(0, 2, 3))
for ax, name, values in (
    (axes[3], "as they come", some),
    (axes[4], "after normalize", yours(normalize, some, mean, std)),
):
    if values is None:
        to_do(ax, "normalize")
        continue
    for c, colour in enumerate(("#c0392b", "#2e8b57", "#1f5f99")):
        ax.hist(values[:, c].flatten().numpy(), bins=60, histtype="step", color=colour, density=True)
    ax.set(title=name, xlabel="value", yticks=[])
axes[3].set_ylabel("density, R G B")
fig.suptitle(f"Source: {train_set.source}", fontsize=9)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q2
# title: Chance, image by image
# points: 3.5
# names: [random_crop_flip, color_jitter, cutout]
# hints:
#   - >-
#     Each image needs numbers of its own: draw N of each at once, with generator=generator. A simple loop over
#     the images is right too, and fast enough. How many different offsets are there for a padding of 2?
#   - >-
#     There are 2 * padding + 1 offsets in each direction, 0 and 2 * padding among them; torch.randint leaves
#     its upper end out. For the jitter shape the factors (N, 1, 1, 1). For cutout draw the centre among the
#     pixels of the image, then cut the square where it leaves the image.
#   - >-
#     top, left = torch.randint(2 * p + 1, (2, N), generator=g); for each image pad_and_crop(img, H, top, left,
#     p), mirrored where torch.rand(N, generator=g) < 0.5. Jitter: low = max(0, 1 - v); factor = low + (1 + v
#     - low) * torch.rand(N, 1, 1, 1, generator=g); x = (x * b).clamp(0, 1); luma = (x * weights).sum(1,
#     keepdim=True).mean((2, 3), keepdim=True); x = (luma + c * (x - luma)).clamp(0, 1). Cutout: rows from
#     max(0, cy - size // 2) to min(H, cy - size // 2 + size), columns alike.
# %% [markdown]
# ## 2. Chance, image by image
#
# A batch comes in, a batch of the same size goes out, and **every image has luck of its own**. One offset for
# the whole batch would save three lines and most of the effect.
#
# **All chance comes from `generator`**, a `torch.Generator` on the device of the batch. With the same
# generator state you get the same batch, whatever happened elsewhere in the program; that is what makes a
# training run repeatable. With `None`, PyTorch's global generator is used, which is what
# `torch.rand(..., generator=None)` does by itself. The order in which you draw is up to you.
#
# * `random_crop_flip`: `pad_and_crop` back to the old size, `top` and `left` uniform over all
#   $2p + 1$ offsets each, and `hflip` with probability 1/2.
# * `color_jitter`: two factors per image, each uniform in $[\max(0, 1 - v),\, 1 + v]$, where $v$ is `brightness`
#   or `contrast`. Brightness first, contrast second, and after *each* of them back into $[0, 1]$:
#
# $$ x' = \text{clamp}(b\, x), \qquad
#    m = \text{mean over pixels of } (0.2989\, x'_R + 0.587\, x'_G + 0.114\, x'_B), \qquad
#    x'' = \text{clamp}\big(m + c\,(x' - m)\big). $$
#
#   Contrast pulls an image towards its own grey, or away from it. The three weights are how bright red, green
#   and blue look to the eye (*luma*, from the television norm ITU-R BT.601).
# * `cutout`: a square hole of zeros in all channels, `size` pixels wide. Its centre is any pixel of the image,
#   all equally likely, so near the border **part of the square falls outside** and the hole is smaller. (For
#   an even size the centre is one of the two middle pixels, whichever you like.) DeVries and Taylor found
#   that it matters: sometimes the network should see nearly everything.
# %% [raw]
# # BEGIN SOLUTION
# %%
# BEGIN SOLUTION NO PROMPT
LUMA = (0.2989, 0.587, 0.114)


def uniform(shape: Sequence[int], like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Numbers in [0, 1) on the device of `like`, drawn where the generator lives."""
    place = like.device if generator is None else generator.device
    return torch.rand(tuple(shape), generator=generator, device=place).to(like.device)


# END SOLUTION
def random_crop_flip(batch: torch.Tensor, padding: int, generator: torch.Generator | None) -> torch.Tensor:
    """Move each image by a random offset, and mirror it with probability 1/2.

    Args:
        batch: float (N, C, H, W) with H = W; not modified.
        padding: zeros on each side before the crop; the offsets are uniform in 0 ... 2 * padding.
        generator: decides everything, in any order of draws; None for the global one.

    Returns:
        (N, C, H, W); each image has its own offset and its own flip.

    Source: He, Zhang, Ren and Sun, Deep Residual Learning (2016), section 4.2.
    """
    # BEGIN SOLUTION NO PROMPT
    n, _, size, _ = batch.shape
    top, left = (uniform((2, n), batch, generator) * (2 * padding + 1)).long()
    flip = uniform((n,), batch, generator) < 0.5
    padded = F.pad(batch, (padding, padding, padding, padding))
    images = torch.arange(n, device=batch.device)[:, None, None]
    steps = torch.arange(size, device=batch.device)
    rows = (top[:, None] + steps)[:, :, None]  # (N, H, 1)
    columns = (left[:, None] + torch.where(flip[:, None], steps.flip(0), steps))[:, None, :]  # (N, 1, W)
    # Indices on both sides of a slice put the channels last: (N, H, W, C).
    return padded[images, :, rows, columns].permute(0, 3, 1, 2).contiguous()
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: draw N offsets in each direction and N coins; crop and mirror image by image
    raise NotImplementedError
    """; # END PROMPT


def color_jitter(
    batch: torch.Tensor, brightness: float, contrast: float, generator: torch.Generator | None
) -> torch.Tensor:
    """Change brightness, then contrast of each image by random factors.

    Args:
        batch: float (N, 3, H, W) with values in [0, 1]; not modified.
        brightness: v; the factor is uniform in [max(0, 1 - v), 1 + v]; 0 changes nothing.
        contrast: likewise for the blend with the image's mean luma.
        generator: decides everything, in any order of draws; None for the global one.

    Returns:
        (N, 3, H, W) with values in [0, 1], clamped after each of the two steps.

    Source: torchvision.transforms.ColorJitter; luma weights of ITU-R BT.601.
    """
    # BEGIN SOLUTION NO PROMPT
    factors = []
    for strength in (brightness, contrast):
        low = max(0.0, 1 - strength)
        factors.append(low + (1 + strength - low) * uniform((len(batch), 1, 1, 1), batch, generator).to(batch.dtype))
    bright = (batch * factors[0]).clamp(0, 1)
    weights = torch.tensor(LUMA, dtype=batch.dtype, device=batch.device).view(3, 1, 1)
    mean = (bright * weights).sum(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True)
    return (mean + factors[1] * (bright - mean)).clamp(0, 1)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: one factor per image and effect; brightness, clamp, contrast about the mean luma, clamp
    raise NotImplementedError
    """; # END PROMPT


def cutout(batch: torch.Tensor, size: int, generator: torch.Generator | None) -> torch.Tensor:
    """Cut a square hole of zeros into each image.

    Args:
        batch: float (N, C, H, W); not modified.
        size: side of the square in pixels.
        generator: decides everything, in any order of draws; None for the global one.

    Returns:
        (N, C, H, W); each image has a hole of its own, centred on any of its pixels and clipped at the border.

    Source: DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout (2017), section 3.
    """
    # BEGIN SOLUTION NO PROMPT
    n, _, height, width = batch.shape
    holes = []
    for length in (height, width):
        start = (uniform((n, 1), batch, generator) * length).long() - size // 2
        steps = torch.arange(length, device=batch.device)
        holes.append((steps >= start) & (steps < start + size))  # (N, length)
    hole = holes[0][:, None, :, None] & holes[1][:, None, None, :]
    return batch.masked_fill(hole, 0.0)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: one centre per image; zeros in the part of the square that is inside the image
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** One image under every augmentation, six draws each. Could you still name it? Then the label
# is kept, and the change is fair.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
chance = torch.Generator().manual_seed(5)
samples = picture.expand(6, -1, -1, -1).clone()
effects = {
    "crop + flip\npadding 4": (random_crop_flip, 4),
    "brightness\n0.6": (color_jitter, 0.6, 0.0),
    "contrast\n0.6": (color_jitter, 0.0, 0.6),
    "cutout\n12 pixels": (cutout, 12),
}
fig, axes = plt.subplots(len(effects), 7, figsize=(8.6, 5.2))
for row, (name, (function, *numbers)) in zip(axes, effects.items(), strict=True):
    show(row[0], picture, "the image" if row is axes[0] else "")
    changed = yours(function, samples, *numbers, chance)
    for ax, image in zip(row[1:], samples if changed is None else changed, strict=True):
        to_do(ax, "\n" + function.__name__) if changed is None else show(ax, image)
    row[0].set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center", labelpad=8)
fig.suptitle(f"Six draws of each augmentation. Source: {train_set.source}", fontsize=10)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q3
# title: Mixing images and labels
# points: 3.5
# names: [mixup, cutmix, soft_cross_entropy]
# hints:
#   - >-
#     Pair each image with another one of the same batch: a permutation does it. The label of the mixture is
#     the same mixture of the two one-hot labels. Which numbers are drawn once a batch, and which per image?
#   - >-
#     torch.randperm(N, generator=generator) gives the partners. PyTorch's Beta distribution takes no
#     generator; draw a whole number from yours and seed np.random.default_rng with it, whose .beta(alpha,
#     alpha) does the rest. In cutmix paste the box first, then compute the weight from the box that is left
#     after clipping.
#   - >-
#     lam = beta(alpha), 1.0 for alpha 0; x = lam * x + (1 - lam) * x[perm], targets alike with F.one_hot(y,
#     num_classes).float(). cutmix: r = sqrt(1 - lam), cy = randint(H), cx = randint(W); rows max(0, cy -
#     round(r * H) // 2) ... min(H, ...); out = x.clone(), out[:, :, y0:y1, x0:x1] = x[perm][:, :, y0:y1,
#     x0:x1]; weight = 1 - (y1 - y0) * (x1 - x0) / (H * W). The loss: -(t * logits.log_softmax(1)).sum(1).mean()
#     with t = (1 - s) * targets + s / K.
# %% [markdown]
# ## 3. Mixing images and labels
#
# So far the label stayed. MixUp (Zhang and others, 2018) changes it along with the image: pair each image of the
# batch with another one of the same batch (a random permutation $\pi$), and average both with one random
# weight,
#
# $$ \tilde x_i = \lambda\, x_i + (1 - \lambda)\, x_{\pi(i)}, \qquad
#    \tilde t_i = \lambda\, t_i + (1 - \lambda)\, t_{\pi(i)}, \qquad \lambda \sim \text{Beta}(\alpha, \alpha), $$
#
# with $t$ the one-hot labels. The network learns to be half sure of half a cat. A small $\alpha$ puts $\lambda$
# near 0 or 1 (hardly a mixture), $\alpha = 1$ makes it uniform. With $\alpha = 0$ we agree on $\lambda = 1$:
# nothing is mixed.
#
# **CutMix** (Yun and others, 2019) pastes instead of blending. A box with sides $H\sqrt{1 - \lambda}$ and
# $W\sqrt{1 - \lambda}$ would cover a share of $1 - \lambda$. Its centre is any pixel of the image, and the box
# is **clipped at the border**, the same for the whole batch. What is pasted is therefore often less than
# $1 - \lambda$, and rounding to pixels does the rest. So the labels get the share that was *really* pasted:
#
# $$ \tilde t_i = (1 - a)\, t_i + a\, t_{\pi(i)}, \qquad
#    a = \frac{\text{pixels in the clipped box}}{H\, W} . $$
#
# **The loss** for labels that are probabilities is the cross-entropy as it was always meant. Label smoothing
# takes a share $s$ of each label and spreads it evenly over all $K$ classes:
#
# $$ L = -\frac1N \sum_{i=1}^{N} \sum_{k=1}^{K} t'_{ik} \log p_{ik}, \qquad
#    t' = (1 - s)\, t + \frac{s}{K}, \qquad p = \text{softmax(logits)} . $$
# %% [raw]
# # BEGIN SOLUTION
# %%
# BEGIN SOLUTION NO PROMPT
def draw_lambda(alpha: float, like: torch.Tensor, generator: torch.Generator | None) -> float:
    """A number from Beta(alpha, alpha); 1 for alpha = 0."""
    if alpha == 0:
        return 1.0
    # PyTorch's Beta takes no generator, NumPy's does: hand it a seed from ours.
    place = like.device if generator is None else generator.device
    seed = int(torch.randint(2**62, (), generator=generator, device=place))
    return float(np.random.default_rng(seed).beta(alpha, alpha))


def partners(x: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """A random permutation of the batch."""
    return uniform((len(x),), x, generator).argsort()


# END SOLUTION
def mixup(
    x: torch.Tensor, y: torch.Tensor, alpha: float, num_classes: int, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blend each image, and its label, with another one of the batch.

    Args:
        x: float (N, C, H, W); not modified.
        y: classes, int64 (N,).
        alpha: lambda is drawn from Beta(alpha, alpha), once for the batch; 0 means lambda = 1.
        num_classes: K.
        generator: decides everything, in any order of draws; None for the global one.

    Returns:
        The mixtures (N, C, H, W), and their soft labels, float32 (N, K); each row of these adds up to 1.

    Source: Zhang, Cisse, Dauphin and Lopez-Paz, mixup: Beyond Empirical Risk Minimization (2018), section 2.
    """
    # BEGIN SOLUTION NO PROMPT
    lam = draw_lambda(alpha, x, generator)
    other = partners(x, generator)
    t = F.one_hot(y, num_classes).float()
    return lam * x + (1 - lam) * x[other], lam * t + (1 - lam) * t[other]
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: one lambda and one permutation; mix images and one-hot labels alike
    raise NotImplementedError
    """; # END PROMPT


def cutmix(
    x: torch.Tensor, y: torch.Tensor, alpha: float, num_classes: int, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Paste a box from another image of the batch into each image, and mix the labels by area.

    Args:
        x: float (N, C, H, W); not modified.
        y: classes, int64 (N,).
        alpha: lambda is drawn from Beta(alpha, alpha), once for the batch; 0 means lambda = 1, an empty box.
        num_classes: K.
        generator: decides everything, in any order of draws; None for the global one.

    Returns:
        The images (N, C, H, W), with one box for the batch, clipped at the border; and their soft labels,
        float32 (N, K), weighted by the area that was really pasted.

    Source: Yun, Han, Oh, Chun, Choe and Yoo, CutMix (2019), equations 1 and 2.
    """
    # BEGIN SOLUTION NO PROMPT
    lam = draw_lambda(alpha, x, generator)
    other = partners(x, generator)
    spans = []
    for length in x.shape[2:]:
        side = round(length * math.sqrt(1 - lam))
        start = int(uniform((), x, generator) * length) - side // 2
        spans.append(slice(max(0, start), max(0, min(length, start + side))))
    rows, columns = spans
    mixed = x.clone()
    mixed[:, :, rows, columns] = x[other][:, :, rows, columns]
    share = (rows.stop - rows.start) * (columns.stop - columns.start) / (x.shape[2] * x.shape[3])
    t = F.one_hot(y, num_classes).float()
    return mixed, (1 - share) * t + share * t[other]
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: lambda, permutation, box, clip, paste; then the labels by the area of the clipped box
    raise NotImplementedError
    """; # END PROMPT


def soft_cross_entropy(logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
    """Return the mean cross-entropy of soft labels.

    Args:
        logits: float (N, K).
        targets: probabilities (N, K).
        label_smoothing: the share s of each label that is spread evenly over all K classes.

    Returns:
        A scalar tensor; gradients flow to the logits.

    Source: Szegedy and others, Rethinking the Inception Architecture (2016), section 7.
    """
    # BEGIN SOLUTION NO PROMPT
    t = (1 - label_smoothing) * targets + label_smoothing / targets.shape[1]
    return -(t * logits.log_softmax(dim=1)).sum(dim=1).mean()
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: smooth the labels, then the mean over the batch of the sum over the classes
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** Four mixtures of each kind with their soft labels, the image's own class in blue, its partner's in
# orange. In every panel the bars must say what the picture shows.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
chance = torch.Generator().manual_seed(3)
four, labels = (part[[0, 3, 4, 9]] for part in one_of_each(train_set))
fig, axes = plt.subplots(2, 8, figsize=(10.8, 3.4), width_ratios=[1, 0.85] * 4)
for row, function in zip(axes, (mixup, cutmix), strict=True):
    result = yours(function, four, labels, 6.0, 10, chance)  # a large alpha: lambda near one half
    for i, (ax, bars) in enumerate(zip(row[::2], row[1::2], strict=True)):
        if result is None:
            to_do(ax, "\n" + function.__name__)
            bars.axis("off")
            continue
        show(ax, result[0][i])
        parts = sorted((k for k in range(10) if result[1][i, k] > 0), key=lambda k: k != labels[i])
        bars.barh(range(len(parts)), result[1][i, parts], color=[BLUE, ORANGE][: len(parts)], height=0.6)
        bars.set(xlim=(0, 1), ylim=(1.6, -0.6), xticks=[0, 1])
        bars.set_yticks(range(len(parts)), [CLASSES[k] for k in parts], fontsize=8)
    row[0].set_ylabel(function.__name__, fontsize=10)
fig.suptitle(f"Mixtures and their soft labels. Source: {train_set.source}", fontsize=10)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q4
# title: A schedule, and a residual network for small images
# points: 3
# names: [cosine_lr, cifar_resnet]
# hints:
#   - >-
#     Three ranges of step, three formulas; which of them holds at step = warmup_steps, and which at
#     total_steps? For the network write the block first, then count the parameters of each stage on paper.
#   - >-
#     In the middle range the progress runs from 0 at warmup_steps to 1 at total_steps. In the network every
#     convolution is without bias and has a BatchNorm behind it, the 1x1 of the shortcut too. Only the first
#     block of stages 2 and 3 has stride 2; only where the shape changes is there a 1x1 convolution.
#   - >-
#     min_lr + (base_lr - min_lr) * (1 + math.cos(math.pi * (step - warmup_steps) / (total_steps -
#     warmup_steps))) / 2. Block: relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)), conv1 with the stride,
#     shortcut = nn.Sequential() or Conv2d(a, b, 1, stride, bias=False) with BatchNorm2d(b). Then
#     AdaptiveAvgPool2d(1), Flatten, Linear(4 * width, num_classes).
# %% [markdown]
# ## 4. A schedule, and a residual network for small images
#
# **The learning rate** starts small, because the first gradients of a fresh network point anywhere (*warm-up*),
# and ends small, because near the end you want to settle. With $S$ steps in total and $w$ of them for the
# warm-up, at step $s = 0, 1, 2, \ldots$:
#
# $$ \eta(s) = \begin{cases}
#      \eta_{\max}\, s / w & s < w \\
#      \eta_{\min} + (\eta_{\max} - \eta_{\min})\, \tfrac12 \Big(1 + \cos \pi \tfrac{s - w}{S - w}\Big) & w \le s < S \\
#      \eta_{\min} & s \ge S
#    \end{cases} $$
#
# **The network.** ResNet-18 was made for images of 224 pixels: its stem alone divides the side by 4. Of 32
# pixels that leaves 8. For CIFAR-10, He and others used a stem that keeps the size, and three stages:
#
# | part | output for `width` $w$ | what |
# |---|---|---|
# | stem | $w \times 32 \times 32$ | 3x3 convolution, stride 1, BatchNorm, ReLU |
# | stage 1 | $w \times 32 \times 32$ | `depth_blocks[0]` blocks |
# | stage 2 | $2w \times 16 \times 16$ | `depth_blocks[1]` blocks, the first with stride 2 |
# | stage 3 | $4w \times 8 \times 8$ | `depth_blocks[2]` blocks, the first with stride 2 |
# | head | `num_classes` | mean over all pixels, linear layer |
#
# A **block** is two 3x3 convolutions with BatchNorm, and a shortcut around them (the stride is that of the
# first convolution):
#
# $$ \text{block}(x) = \text{relu}\big( \text{bn}(\text{conv}(\text{relu}(\text{bn}(\text{conv}(x))))) +
#    \text{shortcut}(x) \big). $$
#
# The shortcut is $x$ itself; where the shape changes, a 1x1 convolution with the same stride and a BatchNorm.
# Convolutions have no bias: the BatchNorm behind them has one. The defaults give **175,258 parameters**. Names
# inside the network are up to you.
#
# The network takes images in $[0, 1]$ as they are. If you want them normalised, let the network do it; then
# nobody who uses your weights can forget it.
# %% [raw]
# # BEGIN SOLUTION
# %%
def cosine_lr(
    step: int, total_steps: int, base_lr: float, warmup_steps: int = 0, min_lr: float = 0.0
) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine.

    Args:
        step: number of the step, from 0; may be beyond total_steps.
        total_steps: where the cosine ends; larger than warmup_steps.
        base_lr: the largest learning rate, reached at step = warmup_steps.
        warmup_steps: length of the warm-up, which starts at 0; without warm-up step 0 has base_lr.
        min_lr: the learning rate at total_steps and after.

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts (2017), equation 5.
    """
    # BEGIN SOLUTION NO PROMPT
    if step < warmup_steps:
        return base_lr * step / warmup_steps
    if step >= total_steps:
        return min_lr
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return min_lr + (base_lr - min_lr) * (1 + math.cos(math.pi * progress)) / 2
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: the three cases
    raise NotImplementedError
    """; # END PROMPT


# BEGIN SOLUTION NO PROMPT
def conv_bn(a: int, b: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias, and its BatchNorm."""
    return nn.Sequential(nn.Conv2d(a, b, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(b))


class Block(nn.Module):
    """Two convolutions with a shortcut around them."""

    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.first = conv_bn(a, b, 3, stride)
        self.second = conv_bn(b, b, 3)
        self.shortcut = nn.Sequential() if a == b and stride == 1 else conv_bn(a, b, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn (N, a, H, W) into (N, b, H / stride, W / stride)."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


# END SOLUTION
def cifar_resnet(depth_blocks: Sequence[int] = (2, 2, 2), width: int = 16, num_classes: int = 10) -> nn.Module:
    """Build a residual network for images of 32x32 pixels.

    Args:
        depth_blocks: blocks in each of the three stages, at least 1 each.
        width: channels of the first stage; the next two have twice and four times as many.
        num_classes: K.

    Returns:
        A module that turns (N, 3, 32, 32) into logits (N, K).

    Source: He, Zhang, Ren and Sun, Deep Residual Learning (2016), section 4.2, with 1x1 shortcuts (option B).
    """
    # BEGIN SOLUTION NO PROMPT
    layers: list[nn.Module] = [conv_bn(3, width, 3), nn.ReLU()]
    channels = width
    for stage, count in enumerate(depth_blocks):
        for i in range(count):
            out = width * 2**stage
            layers.append(Block(channels, out, stride=2 if stage > 0 and i == 0 else 1))
            channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: stem, three stages of blocks, mean over the pixels, linear layer
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** Left: three schedules. Right: where the parameters of your network are, convolutions by the
# number of their output channels.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3))
steps = range(231)
schedules = {
    "no warm-up": (GREY, {}),
    "warm-up 20": (BLUE, {"warmup_steps": 20}),
    "warm-up 20, min_lr 0.02": (ORANGE, {"warmup_steps": 20, "min_lr": 0.02}),
}
for name, (colour, options) in schedules.items():
    rates = [yours(cosine_lr, s, 200, 0.1, **options) for s in steps]
    if rates[0] is not None:
        left.plot(steps, rates, color=colour, label=name)
left.axvline(200, color=GREY, ls=":", lw=1)
left.set(xlabel="step", ylabel="learning rate", ylim=(-0.005, 0.14))
left.set_title("cosine_lr with total_steps 200, base_lr 0.1")
left.legend() if left.get_legend_handles_labels()[0] else to_do(left, "cosine_lr")
net = yours(cifar_resnet)
if net is None:
    to_do(right, "cifar_resnet")
else:
    groups = {}
    for p in net.parameters():
        key = "linear" if p.ndim == 2 else "BatchNorm, bias"
        if p.ndim == 4:
            key = f"{p.shape[2]}x{p.shape[3]} conv, {p.shape[0]} out"
        groups[key] = groups.get(key, 0) + p.numel()
    right.barh(list(groups), list(groups.values()), color=BLUE, height=0.65)
    for i, n in enumerate(groups.values()):
        right.text(n, i, f" {n:,}", va="center", fontsize=8)
    right.invert_yaxis()
    right.xaxis.set_major_formatter("{x:,.0f}")
    right.locator_params(axis="x", nbins=5)
    right.set(xlabel="parameters", xlim=(0, 1.2 * max(groups.values())))
    right.set_title(f"{sum(groups.values()):,} parameters in total")
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q5
# title: The training loop, and two looks at a test image
# points: 3.5
# names: [train, tta_predict]
# hints:
#   - >-
#     Which images may be augmented, and which never? And where does chance enter: the order of the images, and
#     the augmentation. Both must come from seed. The model's initial weights are not yours to draw.
#   - >-
#     Make one torch.Generator with manual_seed(seed). Shuffle with torch.randperm, take the next batch_size
#     rows, turn them into floats in [0, 1], augment them if augment is true, set the learning rate of this
#     step in optimizer.param_groups, note it, make the step, note the loss. At the end measure the test
#     accuracy in eval mode on the images as they are.
#   - >-
#     for step in range(steps): if the permutation is used up, draw a new one; x = x_train[rows].float() / 255;
#     if augment: x = random_crop_flip(x, 4, g) and color_jitter(x, 0.4, 0.4, g); lr = cosine_lr(step, steps,
#     0.05, warmup_steps=steps // 10); for group in optimizer.param_groups: group["lr"] = lr. Afterwards
#     {"loss": ..., "lr": ..., "test_accuracy": correct / N}. tta_predict: (model(x).softmax(1) +
#     model(hflip(x)).softmax(1)) / 2 under no_grad in eval mode.
# %% [markdown]
# ## 5. The training loop, and two looks at a test image
#
# `train` makes `steps` steps of any optimiser that you like with the learning rate of your `cosine_lr` (its
# largest value and its warm-up are your choice), and tells what happened.
#
# * The images are `uint8`. Turn each batch into floats in $[0, 1]$; leave `data` as it is.
# * Each pass over the training images has a new random order. Labels stay with their images.
# * With `augment=True` each batch is augmented **anew**, so that an image looks different in every pass. Crops and
#   mirror images at least; what else is your choice.
# * With `augment=False` the images are shown as they are. (Otherwise there is nothing to compare with.)
# * **Test images are never augmented.** They are measured once, at the end, in eval mode.
# * `seed` decides the order and the augmentation. The model comes with its weights and is trained in place.
#
# **At test time** you may look twice: predict the image and its mirror image, and average the two
# *probabilities*,
#
# $$ p(x) = \tfrac12 \big( \text{softmax} f(x) + \text{softmax} f(\text{hflip}(x)) \big) . $$
#
# This is called *test-time augmentation* (TTA). It costs a second forward pass and usually gains a little.
# %% [raw]
# # BEGIN SOLUTION
# %%
def train(
    model: nn.Module,
    data: dict[str, torch.Tensor],
    steps: int,
    augment: bool,
    seed: int,
    device: str | torch.device,
    batch_size: int = 64,
) -> dict[str, list[float] | float]:
    """Train a classifier in place, with or without augmentation, and measure it.

    Args:
        model: takes float images (n, 3, H, W) in [0, 1], gives logits; already on `device`.
        data: x_train uint8 (N, 3, H, W), y_train int64 (N,), x_test and y_test likewise; not modified.
        steps: number of optimiser steps.
        augment: whether the training images are augmented, anew in each pass.
        seed: decides the order of the images and their augmentation.
        device: where the model is and the batches go.
        batch_size: images a step; may be larger than N, then each step shows all N.

    Returns:
        history with "loss", the training loss of each step, "lr", the learning rate of each step (two lists of
        `steps` floats), and "test_accuracy", a fraction, measured after the last step in eval mode.
    """
    # BEGIN SOLUTION NO PROMPT
    generator = torch.Generator(device=device).manual_seed(seed)
    x_train, y_train = data["x_train"].to(device), data["y_train"].to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    model.train()
    losses, rates = [], []
    order = torch.empty(0, dtype=torch.int64, device=device)
    for step in range(steps):
        if len(order) < min(batch_size, len(x_train)):
            order = torch.randperm(len(x_train), generator=generator, device=device)
        rows, order = order[:batch_size], order[batch_size:]
        x = x_train[rows].float() / 255
        if augment:
            x = color_jitter(random_crop_flip(x, 4, generator), 0.4, 0.4, generator)
        lr = cosine_lr(step, steps, 0.05, warmup_steps=steps // 10)
        for group in optimizer.param_groups:
            group["lr"] = lr
        loss = F.cross_entropy(model(x), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
        rates.append(lr)
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in zip(data["x_test"].split(256), data["y_test"].split(256), strict=True):
            correct += int((model(x.to(device).float() / 255).argmax(dim=1) == y.to(device)).sum())
    return {
        "loss": torch.stack(losses).tolist(),
        "lr": rates,
        "test_accuracy": correct / len(data["y_test"]),
    }
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: shuffled batches, augmentation, learning rate, step; then the test accuracy in eval mode
    raise NotImplementedError
    """; # END PROMPT


def tta_predict(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return class probabilities, averaged over each image and its mirror image.

    Args:
        model: gives logits; measured in eval mode and without gradients, afterwards in the mode in which it came.
        x: images as the model takes them, float (N, 3, H, W), on the model's device.

    Returns:
        Probabilities (N, K); each row adds up to 1.
    """
    # BEGIN SOLUTION NO PROMPT
    was_training = model.training
    model.eval()
    with torch.no_grad():
        probabilities = (model(x).softmax(dim=1) + model(hflip(x)).softmax(dim=1)) / 2
    model.train(was_training)
    return probabilities
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: eval mode; softmax of the logits of both; their mean; the old mode
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** The same small network from the same start, with and without augmentation. Left: the loss on
# the training batches. Right: the accuracy on training and test images after 20, 60, 120 and 240 steps (a run
# of its own for each). Without augmentation the loss is lower and the result is worse: the network spends its
# strength on knowing the pictures by heart.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
def small_net(seed=0):
    """A small convolutional network for the comparison; its last layer knows where things are."""
    torch.manual_seed(seed)
    layers = []
    for a, b in ((3, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


def as_data(train_images, test_images):
    """The dictionary that `train` takes."""
    parts = {"train": train_images, "test": test_images}
    x = {f"x_{name}": torch.from_numpy(images.images) for name, images in parts.items()}
    return x | {f"y_{name}": torch.from_numpy(images.labels) for name, images in parts.items()}


def share_right(model, x, y):
    """The accuracy on uint8 images, in eval mode."""
    with torch.no_grad():
        return float((model.eval()(x.float() / 255).argmax(1) == y).double().mean())


data = as_data(train_set.balanced(100), test_set.balanced(100))
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.3))
marks = [20, 60, 120, 240]
for augment, colour, name in ((False, GREY, "without"), (True, BLUE, "with augmentation")):
    known, unknown, history = [], [], None
    for mark in marks:
        net = small_net()
        history = yours(train, net, data, mark, augment, 0, "cpu")
        if history is None:
            break
        known.append(share_right(net, data["x_train"], data["y_train"]))
        unknown.append(history["test_accuracy"])
    if history is None:
        continue
    smooth = np.convolve(history["loss"], np.ones(10) / 10, "valid")
    left.plot(np.arange(len(smooth)) + 5, smooth, color=colour, label=name)
    right.plot(marks, known, "--", color=colour, label=f"training images, {name}")
    right.plot(marks, unknown, "o-", color=colour, label=f"test images, {name}")
    right.annotate(f"{unknown[-1]:.2f}", (marks[-1], unknown[-1]), xytext=(5, -3), textcoords="offset points")
    if augment:
        x, y = data["x_test"].float() / 255, data["y_test"]
        twice = yours(tta_predict, net, x)
        if twice is not None:
            print(f"one look: {unknown[-1]:.3f}, two looks: {float((twice.argmax(1) == y).double().mean()):.3f}")
for ax in (left, right):
    ax.legend(fontsize=8) if ax.get_legend_handles_labels()[0] else to_do(ax, "train")
left.set(xlabel="step", ylabel="loss, mean of 10 steps", yscale="log", title="Training loss")
right.set(xlabel="steps", ylabel="accuracy", ylim=(0, 1.05), xlim=(0, 270))
right.set_title(f"Source: {train_set.source}", fontsize=8)
plt.show()
# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q6
# title: A network for images that you have never seen
# points: 4
# names: [CHECKPOINT_ARGS]
# hints:
#   - >-
#     Run the training cell below as it is first, and look at the table per class. Then change one thing at a
#     time.
#   - >-
#     The test images differ from the training images in place, direction and light. Which augmentation stands
#     for each? More steps help augmented training for longer than plain training.
#   - >-
#     Crops with padding 4, mirror images and a jitter of 0.4 for brightness and contrast in train, a
#     cifar_resnet with depth_blocks=(1, 1, 1), width=16, and 300 steps of 32 images are enough for all
#     points. Save with save_checkpoint(model, "a5_cifar_augment.safetensors"), and hand the file in.
# %% [markdown]
# ## 6. A network for images that you have never seen
#
# Now train a `cifar_resnet` with your own `train`, and hand in its weights: the file
# **`a5_cifar_augment.safetensors`**, beside your notebook or in the same zip. `CHECKPOINT_ARGS` says with which
# arguments the network is built; it has the keys `depth_blocks`, `width` and `num_classes`, nothing else.
#
# **What counts.** The grader builds `cifar_resnet(**CHECKPOINT_ARGS)` from *your* code, loads the weights, and
# asks for the classes of images drawn fresh for your submission. They go in as floats in $[0, 1]$, as
# everywhere in this notebook. The network may have up to **3,000,000 parameters** and the file up to **13 MB**.
#
# **Which images count?** With `SOURCE = "offline"`: rendered pictures, as in the test set above, but new ones.
# A course may pack images of the official CIFAR-10 instead; your instructor then tells you to set
# `SOURCE = "official"`. A network for one of them is lost on the other.
#
# **What it takes.** There are three bands, each worth a part of the points. For rendered pictures the next cell
# shows them. They come from many runs of the reference with different seeds: a network trained like
# it reaches the top band but for one time in a thousand, one trained without augmentation does not. For
# official images the bands are 70 %, 78 % and 83 %. They follow what the notes of this course reached (83.57 %);
# they are not calibrated.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
from deepmarks.calibration import CalibrationError, load_calibration

try:
    known = load_calibration(Path("checks") / "public").metric("test_accuracy")
except CalibrationError as error:
    print(error)
else:
    for band in known.bands:
        print(f"{band.name:6} from {band.threshold:.1%}")
    for name, summary in {"reference": known.reference, **known.variants}.items():
        reach = f"{summary.low:.1%} to {summary.high:.1%}"
        print(f"{name:22} {summary.mean:.1%} on average over {summary.count} seeds ({reach})")
# %% [raw]
# # BEGIN SOLUTION
# %%
# BEGIN SOLUTION NO PROMPT
CHECKPOINT_ARGS = {"depth_blocks": (1, 1, 1), "width": 16, "num_classes": 10}
# END SOLUTION
""" # BEGIN PROMPT
# TODO: the arguments of the network that you train; the file must fit them
CHECKPOINT_ARGS = {"depth_blocks": (2, 2, 2), "width": 16, "num_classes": 10}
"""; # END PROMPT
# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Train it.** The next cell trains and saves, unless the file is there already: delete the file to train
# again. With the numbers below and rendered pictures it takes well under a minute.
# %% tags=["otter_ignore"]
from deepmarks.checkpoints import load_checkpoint, save_checkpoint

WEIGHTS = Path("a5_cifar_augment.safetensors")
STEPS, BATCH = 300, 32
device = "cuda" if torch.cuda.is_available() else "cpu"


def train_and_save():
    """Train the network of CHECKPOINT_ARGS and write its weights."""
    torch.manual_seed(0)
    model = cifar_resnet(**CHECKPOINT_ARGS).to(device)
    history = train(model, as_data(train_set, test_set), STEPS, True, 0, device, BATCH)
    save_checkpoint(model, WEIGHTS)
    print(f"{STEPS} steps; test accuracy {history['test_accuracy']:.3f}; written to {WEIGHTS}")


if not WEIGHTS.exists():
    yours(train_and_save)
# %% [markdown]
# **Look at it.** Which classes are hard, what a second look gains, and the mistakes of which the network is
# surest.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
model = load_checkpoint(WEIGHTS, cifar_resnet(**CHECKPOINT_ARGS)).eval() if WEIGHTS.exists() else None
fig = plt.figure(figsize=(10.4, 3.6))
left, right = fig.subfigures(1, 2, width_ratios=[1, 1.1])
ax = left.subplots()
if model is None:
    to_do(ax, "everything above")
else:
    shown = test_set if len(test_set) <= 2000 else test_set.balanced(200)
    x, y = shown.tensors()
    with torch.no_grad():
        once = torch.cat([model(part).softmax(1) for part in x.split(250)])
    twice = torch.cat([tta_predict(model, part) for part in x.split(250)])
    ways = (("one look", once, GREY, -0.2), ("two looks", twice, BLUE, 0.2))
    print(f"{'':12}" + "".join(f"{name:>12}" for name in [*CLASSES, "all"]))
    for name, found, colour, offset in ways:
        right_ones = (found.argmax(1) == y).double()
        shares = [float(right_ones[y == c].mean()) for c in range(10)]
        label = f"{name}: {float(right_ones.mean()):.3f}"
        ax.barh(np.arange(10) + offset, shares, height=0.38, color=colour, label=label)
        print(f"{name:12}" + "".join(f"{share:12.3f}" for share in [*shares, float(right_ones.mean())]))
    ax.set_yticks(range(10), CLASSES)
    ax.invert_yaxis()
    ax.set(xlabel="accuracy", xlim=(0, 1))
    ax.set_title(f"Test set: {len(shown):,} images", fontsize=9)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    sure, guess = twice.max(1)
    mistakes = int((guess != y).sum())
    worst = (sure * (guess != y)).argsort(descending=True)[: min(8, mistakes)]
    places = right.subplots(2, 4).ravel()
    for small in places:
        small.set_axis_off()
    for small, i in zip(places, worst.tolist(), strict=False):
        show(small, x[i], f"{CLASSES[guess[i]]} {sure[i]:.0%}\nis: {CLASSES[y[i]]}")
    right.suptitle(f"Sure and wrong. Source: {test_set.source}", fontsize=9)
plt.show()
# %% [raw]
# # END QUESTION
# %% [markdown]
# ## What to take away
#
# - Augmentation is knowledge: you say which changes do not matter. Choose changes that keep the label, and that
#   the test images really show.
# - Chance belongs to each image, and to one generator. Then every batch differs, and every run can be repeated.
# - When labels are mixed, the weights must say what is really in the picture.
# - Augment training images only. Measure in eval mode. With augmentation, a higher training loss is no bad sign.
#
# **To play with** (not graded). Use `cutout`, `mixup` or `cutmix` in `train`; which of them help on so few
# images? Set `SOURCE = "official"` and train for as long as you like: the notes of this course reached 83.57 %
# in 80 minutes on a laptop's GPU. Mirror images upside down and watch the accuracy fall.
#
# ## Further reading
#
# - A. Krizhevsky: *Learning Multiple Layers of Features from Tiny Images* (2009). Chapter 3: where CIFAR-10 comes from.
# - K. He, X. Zhang, S. Ren, J. Sun: *Deep Residual Learning for Image Recognition.* CVPR (2016).
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). Section 4.2 is question 4.
# - T. DeVries, G. Taylor: *Improved Regularization of Convolutional Neural Networks with Cutout* (2017).
#   [arXiv:1708.04552](https://arxiv.org/abs/1708.04552).
# - H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz: *mixup: Beyond Empirical Risk Minimization.* ICLR (2018).
#   [arXiv:1710.09412](https://arxiv.org/abs/1710.09412).
# - S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe, Y. Yoo: *CutMix.* ICCV (2019).
#   [arXiv:1905.04899](https://arxiv.org/abs/1905.04899).
# - I. Loshchilov, F. Hutter: *SGDR: Stochastic Gradient Descent with Warm Restarts.* ICLR (2017).
#   [arXiv:1608.03983](https://arxiv.org/abs/1608.03983).
# - K. Jordan: *94% on CIFAR-10 in 3.29 Seconds on a Single GPU* (2024).
#   [arXiv:2404.00498](https://arxiv.org/abs/2404.00498). How far all of this can be pushed.
