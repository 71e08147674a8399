# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [raw]
# # ASSIGNMENT CONFIG
# slug: a2_tensors
# title: Tensors and automatic differentiation
# %% [markdown]
# # Tensors and automatic differentiation
#
# **What you will be able to do**
#
# - say where the numbers of a tensor lie in memory, and which operations move them and which do not;
# - tell views from copies before they bite, and replace loops by broadcasting and `einsum`;
# - read the graph that autograd records, and leave no trace of it in other people's tensors;
# - write the backward pass of an operation by hand, so well that it can be differentiated again;
# - multiply with a Hessian that you never build;
# - put it all together: a small network, saved, loaded and evaluated without the usual mistakes.
#
# **What is given.** You write PyTorch; NumPy appears where the two meet. The questions do not build on each
# other, so a mistake in one costs nothing in the next. Plan for 1 to 3 hours.
#
# ## The idea
#
# A tensor is two things. The **storage** is one row of numbers in memory, without any shape. The **view** of
# it says how to walk through that row: a shape, one *stride* per axis and an offset. The entry $(i, j)$ of a
# matrix lies at the address
#
# $$ \text{address}(i, j) = \text{offset} + i \cdot \text{stride}_0 + j \cdot \text{stride}_1 . $$
#
# So transposing a matrix of a billion numbers costs nothing: exchange two strides. Taking a row, every
# second column or a diagonal costs nothing either. But whoever writes through one view writes into all.
# %%
from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
# %%
import deepmarks

grader = deepmarks.Notebook("a2_tensors")
# %% [markdown]
# **One storage, several views.** The strip at the bottom is all there is in memory: twelve numbers. The grids
# above are six tensors that show it. Equal colours are the *same* cell of memory; the small number in each
# cell is its address. Check the formula on a few cells of each view.
# %% tags=["otter_ignore"]
plt.rcParams.update({"figure.dpi": 110, "font.size": 9, "axes.titlesize": 9, "axes.spines.top": False})
plt.rcParams.update({"axes.spines.right": False, "image.interpolation": "nearest"})
BLUE, ORANGE, GREEN, GREY = "#1f5f99", "#d9731a", "#2e8b57", "#777777"
CELLS = plt.get_cmap("turbo")


def addresses(view):
    """The place in the storage of every entry of `view`, from its strides and offset alone."""
    place = torch.full(view.shape, view.storage_offset())
    for axis, (size, stride) in enumerate(zip(view.shape, view.stride(), strict=True)):
        steps = torch.arange(size) * stride
        place += steps.view([-1 if axis == k else 1 for k in range(view.ndim)])
    return place


def cell(ax, x, y, text="", small="", colour="white", edge="#444444", style="-", alpha=0.55):
    """Draw one square with a number in it and a smaller one in its corner."""
    ax.add_patch(plt.Rectangle((x, y), 1, 1, facecolor=(*plt.matplotlib.colors.to_rgb(colour), alpha)))
    ax.add_patch(plt.Rectangle((x, y), 1, 1, fill=False, edgecolor=edge, linestyle=style, linewidth=0.8))
    ax.text(x + 0.5, y + 0.46, text, ha="center", va="center", fontsize=8)
    ax.text(x + 0.95, y + 0.97, small, ha="right", va="bottom", fontsize=5, color="#333333")


def bare(ax, width, height, title=""):
    """Prepare axes for drawings of cells: equal scales, no frame, y pointing down."""
    ax.set(xlim=(-0.1, width + 0.1), ylim=(height + 0.1, -0.1), aspect="equal", title=title)
    ax.axis("off")


storage = torch.arange(10, 22)
t = storage.view(3, 4)
views = {
    "t": t,
    "t.T": t.T,
    "t[1]": t[1],
    "t[:, ::2]": t[:, ::2],
    "t.diagonal()": t.diagonal(),
    "t[0].expand(3, 4)": t[0].expand(3, 4),
}
fig, axes = plt.subplot_mosaic([list(views), ["strip"] * 6], figsize=(11, 4.2), layout="constrained")
for name, view in views.items():
    bare(axes[name], 4, 4, f"{name}\nstrides {tuple(view.stride())}, offset {view.storage_offset()}")
    grid = torch.atleast_2d(view)
    for (i, j), address in np.ndenumerate(addresses(grid).numpy()):
        cell(axes[name], j, i, f"{grid[i, j]}", f"@{address}", CELLS(0.1 + address / 15)[:3])
bare(axes["strip"], 12, 1, "the storage: twelve numbers in a row")
for address, number in enumerate(storage.tolist()):
    cell(axes["strip"], address, 0, f"{number}", f"@{address}", CELLS(0.1 + address / 15)[:3])
plt.show()


# %% [markdown]
# The last view has the stride 0: its three rows are one and the same row. Keep it in mind, for this is how
# broadcasting works. And a tensor whose numbers lie in memory in the order in which you read them (`t`,
# `t[1]`) is called *contiguous*; `t.T` is not, and `t.T.view(12)` is refused, because no stride can walk it.
# `reshape` gives a view where it can and quietly makes a copy where it must.
# %% [raw]
# # BEGIN QUESTION
# name: q1
# title: Making tensors
# points: 2
# names: [make_tensors]
# hints:
#   - >-
#     Three functions turn other things into tensors: torch.tensor, torch.as_tensor and torch.from_numpy. Look
#     up which of them copy.
#   - >-
#     torch.tensor always copies and takes the dtype from the data; torch.from_numpy never copies. There is
#     torch.ones_like, which takes over shape and dtype. Is zeros_like right for `zeros`, too?
#   - >-
#     from_list = torch.tensor(data); shared = torch.from_numpy(array); copied = torch.tensor(array); ones =
#     torch.ones_like(from_list); zeros = torch.zeros(from_list.shape, dtype=torch.float32).
# %% [markdown]
# ## 1. Making tensors
#
# A NumPy array and a tensor can be two views of one storage. That saves memory and time, and it is the
# source of a classic bug: "my data changed, and nobody touched it". Make both kinds, on purpose.
#
# | result | what it is |
# |---|---|
# | `from_list` | the numbers of the nested list `data`; whole numbers stay whole |
# | `shared` | shows the memory of `array`: a change of one is a change of the other |
# | `copied` | the numbers of `array` in memory of their own |
# | `ones_like` | ones with the shape and dtype of `from_list` |
# | `zeros` | zeros with the shape of `from_list`, always float32 |
# %% [raw]
# # BEGIN SOLUTION
# %%
def make_tensors(
    data: list, array: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (from_list, shared, copied, ones_like, zeros).

    Args:
        data: nested list of numbers or truth values of any regular shape.
        array: NumPy array of any shape and dtype that torch knows; it is not changed.

    Returns:
        from_list: tensor of `data`; whole numbers give int64, floats a floating dtype, truth values bool.
        shared: tensor on the memory of `array`, with its shape and dtype.
        copied: tensor with the values and dtype of `array`, sharing memory with nothing.
        ones_like: ones with the shape and dtype of `from_list`.
        zeros: float32 zeros with the shape of `from_list`.
    """
    # BEGIN SOLUTION NO PROMPT
    from_list = torch.tensor(data)
    shared = torch.from_numpy(array)
    copied = torch.tensor(array)
    ones_like = torch.ones_like(from_list)
    zeros = torch.zeros(from_list.shape, dtype=torch.float32)
    return from_list, shared, copied, ones_like, zeros
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: five tensors; mind who shares memory with whom
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Look at what you built: after the call one number of `array` is changed to -9. In the upper row you see
# what must become of the three, in the lower row yours.
# %% tags=["otter_ignore"]
def heat(ax, values, title="", cmap="Blues", vmin=None, vmax=None, numbers=True):
    """Draw a matrix as a heat map, with its numbers where there is room."""
    values = torch.as_tensor(values).detach().cpu().double()
    vmin = float(values.min()) if vmin is None else vmin
    vmax = float(values.max()) if vmax is None else vmax
    image = ax.imshow(values, cmap=cmap, vmin=vmin, vmax=vmax if vmax > vmin else vmin + 1, aspect="equal")
    ax.set(title=title, xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    if numbers:
        for i, row in enumerate(values.tolist()):
            for j, value in enumerate(row):
                light = sum(image.cmap(image.norm(value))[:3]) > 1.6
                colour = "black" if light else "white"
                ax.text(j, i, f"{value:.3g}", ha="center", va="center", fontsize=7, color=colour)


array = np.arange(6.0).reshape(2, 3)
_, shared, copied, _, _ = make_tensors([[1, 2], [3, 4]], array)
before = array.copy()
array[0, 1] = -9.0
fig, axes = plt.subplots(2, 3, figsize=(7.5, 3.0), layout="constrained")
for ax, values, name in zip(axes[0], (array, array, before), ("array", "shared", "copied"), strict=True):
    heat(ax, values, f"right: {name}", cmap="RdBu", vmin=-9, vmax=9)
for ax, values, name in zip(axes[1], (array, shared, copied), ("array", "shared", "copied"), strict=True):
    heat(ax, values, f"yours: {name}", cmap="RdBu", vmin=-9, vmax=9)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q2
# title: Picking, changing and joining
# points: 3
# names: [pick, zero_column, join]
# hints:
#   - >-
#     Indexing with a whole number removes the axis, indexing with a slice keeps it. A comparison such as t >
#     0 gives a boolean tensor, and such a tensor can be an index.
#   - >-
#     t[:, -1] is the last column; a slice with a step takes every other row. An assignment to part of a
#     tensor writes into its storage: whose storage may zero_column write into?
#   - >-
#     pick: t[0], t[:, -1], t[::2], t[t > 0]. zero_column: out = t.clone(); out[:, j] = 0; return out. join:
#     torch.cat puts tensors side by side along an axis that exists; torch.stack would make a new one.
# %% [markdown]
# ## 2. Picking, changing and joining
#
# Two kinds of indexing look alike and are not:
#
# - **basic** indexing (whole numbers, slices, `None`, `...`) gives a *view*: only offset and strides change;
# - **advanced** indexing (a boolean mask, a list or tensor of numbers) gives a *copy*: no stride can walk an
#   arbitrary selection.
#
# So `t[::2][0, 0] = 7` changes `t`, and `t[[0, 2]][0, 0] = 7` changes nothing at all. Which of the four
# parts that `pick` returns are views of `t`?
# %% [raw]
# # BEGIN SOLUTION
# %%
def pick(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (first_row, last_column, every_other_row, positive) of a matrix.

    Args:
        t: matrix (n, m) of any dtype with an order, n and m at least 1; it is not changed.

    Returns:
        first_row (m,), last_column (n,), every_other_row (rows 0, 2, 4, ...; all columns), and positive: the
        entries > 0 as a flat tensor, row by row (it may be empty). All in the dtype of `t`.
    """
    # BEGIN SOLUTION NO PROMPT
    return t[0], t[:, -1], t[::2], t[t > 0]
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: four ways to index
    raise NotImplementedError
    """; # END PROMPT


def zero_column(t: torch.Tensor, j: int) -> torch.Tensor:
    """Return a new tensor that equals the matrix `t` (n, m), but with zeros in column `j`; `t` is unmodified."""
    # BEGIN SOLUTION NO PROMPT
    out = t.clone()
    out[:, j] = 0
    return out
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: leave t alone
    raise NotImplementedError
    """; # END PROMPT


def join(a: torch.Tensor, b: torch.Tensor, dim: int) -> torch.Tensor:
    """Return `a` followed by `b` along the existing axis `dim`.

    Args:
        a: tensor of any shape with at least one axis.
        b: tensor of the same dtype and, except along `dim`, the same shape.
        dim: the axis; negative numbers count from the end.
    """
    # BEGIN SOLUTION NO PROMPT
    return torch.cat([a, b], dim=dim)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: one line
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Your selection beside the right one. All numbers of this table differ, so a cell is coloured where your
# result contains its number.
# %% tags=["otter_ignore"]
t = torch.tensor([[3, -1, 4, -7], [-5, 9, -2, 6], [8, -3, 1, -8], [-4, 7, -6, 2], [5, -9, 11, 10]])
belongs = {  # where a number of the table belongs into a part, by its row, its column and itself
    "first_row": lambda i, j, number: i == 0,
    "last_column": lambda i, j, number: j == 3,
    "every_other_row": lambda i, j, number: i in (0, 2, 4),
    "positive": lambda i, j, number: number > 0,
}
shapes = ("(4,)", "(5,)", "(3, 4)", "(11,)")
fig, axes = plt.subplots(2, 5, figsize=(10, 4.3), layout="constrained")
for column, (title, part) in enumerate(zip(belongs, pick(t), strict=True)):
    bare(axes[0, column], 4, 5, f"right: {title}\n{shapes[column]}")
    bare(axes[1, column], 4, 5, f"yours: {title}\n{tuple(part.shape)}")
    for (i, j), number in np.ndenumerate(t.numpy()):
        cell(axes[0, column], j, i, f"{number}", "", GREEN if belongs[title](i, j, number) else "white")
        cell(axes[1, column], j, i, f"{number}", "", GREEN if (part == int(number)).any() else "white")
bare(axes[0, 4], 4, 5, "right: zero_column(t, 2)\n(5, 4)")
bare(axes[1, 4], 4, 5, "yours: zero_column(t, 2)\n(5, 4)")
for (i, j), number in np.ndenumerate(zero_column(t, 2).numpy()):
    cell(axes[0, 4], j, i, "0" if j == 2 else f"{t[i, j]}", "", ORANGE if j == 2 else "white")
    cell(axes[1, 4], j, i, f"{number}", "", ORANGE if number == 0 else "white")
plt.show()
# %% [raw]
# # END QUESTION
# %% [markdown]
# ## 3. No loops: broadcasting and index sums
#
# **Broadcasting.** Two shapes are aligned at their *right* ends. Where one of them has a 1 (or nothing), its
# tensor is repeated along that axis, but only in thought: the stride becomes 0. A column $(n, 1)$ and a row
# $(1, m)$ make a table $(n, m)$:
# %% tags=["otter_ignore"]
column, row = torch.tensor([0, 3, 5]), torch.tensor([1, 2, 4, 7])
stretched_column, stretched_row = torch.broadcast_tensors(column[:, None], row[None])
fig, axes = plt.subplots(1, 3, figsize=(9.5, 2.7), layout="constrained")
bare(axes[0], 4, 3, f"column[:, None] of shape (3, 1)\nrepeated with strides {stretched_column.stride()}")
bare(axes[1], 4, 3, f"row[None, :] of shape (1, 4)\nrepeated with strides {stretched_row.stride()}")
bare(axes[2], 4, 3, "(column[:, None] - row[None, :]) ** 2\nof shape (3, 4)")
for i in range(3):
    for j in range(4):
        own = {"colour": BLUE, "style": "-"} if j == 0 else {"colour": BLUE, "style": ":", "alpha": 0.15}
        cell(axes[0], j, i, f"{stretched_column[i, j]}", **own)
        own = {"colour": ORANGE, "style": "-"} if i == 0 else {"colour": ORANGE, "style": ":", "alpha": 0.15}
        cell(axes[1], j, i, f"{stretched_row[i, j]}", **own)
        cell(axes[2], j, i, f"{(column[i] - row[j]) ** 2}", colour=GREEN, alpha=0.3)
axes[1].text(-0.75, 1.5, "-", fontsize=18, ha="center", va="center")
axes[2].text(-0.75, 1.5, "=", fontsize=18, ha="center", va="center")
plt.show()


# %% [markdown]
# **einsum: write down the index sum.** Give every axis a letter. A letter that stands on the left of the
# arrow and not on the right is summed over; everything else is an outer loop that you need not write.
#
# | formula | einsum |
# |---|---|
# | $C_{ij} = \sum_k A_{ik} B_{kj}$ | `"ik,kj->ij"` |
# | $g_i = \sum_j A_{ij} x_j$ | `"ij,j->i"` |
# | $G_{ij} = \sum_k t_{ik}\, t_{jk}$ (all dot products of rows) | `"ik,jk->ij"` |
# | $s = \sum_i A_{ii}$ (the trace) | `"ii->"` |
# | $B_{ji} = A_{ij}$ | `"ij->ji"` |
#
# **Distances without loops.** The obvious way to all squared distances between the rows of $a\,(n, d)$ and
# $b\,(m, d)$ is broadcasting, `a[:, None] - b[None]`, which makes a tensor of $n m d$ numbers only to sum most
# of them away. Multiply out instead:
#
# $$ \lVert a_i - b_j \rVert^2 = \lVert a_i \rVert^2 + \lVert b_j \rVert^2 - 2\, a_i \cdot b_j , $$
#
# three terms of shapes $(n, 1)$, $(1, m)$ and $(n, m)$, and the last is one matrix product. There is a price:
# for points that lie close together two large numbers cancel, and rounding can leave $-0.25$ where 0 belongs.
# Its square root is NaN. So the result must be kept from falling below zero.
# %% [raw]
# # BEGIN QUESTION
# name: q3
# title: No loops
# points: 3
# names: [gram, pairwise_sq_dists, batched_scores]
# hints:
#   - >-
#     For every result write down the shape first, then one letter per axis. Which letter is in the inputs and
#     not in the result?
#   - >-
#     The squared norms of the rows are (a * a).sum(1). One of the two must become a column, so keep its axis:
#     keepdim=True or [:, None]. clamp cuts off what is below zero.
#   - >-
#     gram: t @ t.T. Distances: ((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T).clamp(min=0).
#     Scores: torch.einsum("bhnd,bhmd->bhnm", q, k).
# %% [raw]
# # BEGIN SOLUTION
# %%
def gram(t: torch.Tensor) -> torch.Tensor:
    """Return t @ t.T, the dot products of all pairs of rows of `t` (n, d), as a tensor (n, n)."""
    # BEGIN SOLUTION NO PROMPT
    return t @ t.T
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: one line
    raise NotImplementedError
    """; # END PROMPT


def pairwise_sq_dists(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return all squared Euclidean distances between the rows of two matrices, without loops.

    Args:
        a: points (n, d), floating.
        b: points (m, d), same dtype.

    Returns:
        (n, m) in the dtype of the inputs; entry (i, j) is |a_i - b_j|^2. Never negative, never NaN, also for
        points that are equal or nearly so.
    """
    # BEGIN SOLUTION NO PROMPT
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :]  # (n, 1) + (1, m)
    return (squares - 2 * a @ b.T).clamp(min=0)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: two norms, one product, nothing below zero
    raise NotImplementedError
    """; # END PROMPT


def batched_scores(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """Return the dot products of all queries with all keys of the same batch entry and head, with einsum.

    Args:
        q: queries (b, h, n, d).
        k: keys (b, h, m, d).

    Returns:
        (b, h, n, m), not scaled.
    """
    # BEGIN SOLUTION NO PROMPT
    return torch.einsum("bhnd,bhmd->bhnm", q, k)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: one einsum
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Left: the distances between points on two arcs, right and yours. Right: nearly equal points, ever farther
# from the origin, in float32. The formula without care falls below zero; where does yours stay?
# %% tags=["otter_ignore"]
angle = torch.linspace(0, np.pi, 24, dtype=torch.float64)[:, None]
a, b = torch.hstack([angle.cos(), angle.sin()]), torch.hstack([1 - angle.cos(), 0.4 - angle.sin()])[::2]
b = b.contiguous()
mine = pairwise_sq_dists(a, b)
fig, axes = plt.subplots(1, 4, figsize=(11.5, 3.0), width_ratios=[1.1, 0.8, 0.8, 1.4], layout="constrained")
axes[0].scatter(*a.T, c=BLUE, s=12, label="a (24, 2)")
axes[0].scatter(*b.T, c=ORANGE, s=12, label="b (12, 2)")
axes[0].set(title="two arcs", aspect="equal")
axes[0].legend(frameon=False, fontsize=7, loc="upper right")
one_by_one = [[float(sum((p - r) ** 2)) for r in b] for p in a]  # slow, and right
heat(axes[1], one_by_one, "right", cmap="magma", vmin=0, vmax=6, numbers=False)
heat(axes[2], mine, "yours", cmap="magma", vmin=0, vmax=6, numbers=False)
generator = torch.Generator().manual_seed(0)
scales = [10.0**k for k in range(5)]
lowest = {"without care": [], "yours": []}
for scale in scales:
    points = torch.randn(60, 3, generator=generator) + scale
    near = points + 1e-4 * torch.randn(60, 3, generator=generator)
    naive = [float(p @ p + r @ r - 2 * (p @ r)) for p in points for r in near]
    lowest["without care"].append(min(naive))
    lowest["yours"].append(float(pairwise_sq_dists(points, near).min()))
axes[3].axhline(0, color=GREY, linewidth=0.8)
axes[3].plot(scales, lowest["without care"], "o-", color=ORANGE, label="without care")
axes[3].plot(scales, lowest["yours"], "s--", color=BLUE, label="yours")
axes[3].set_xscale("log")
axes[3].set_yscale("symlog", linthresh=1e-7)
axes[3].set(title="smallest 'squared distance' in float32", xlabel="distance of the points from the origin")
axes[3].legend(frameon=False)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q4
# title: Scatter, standardise, share
# points: 3
# names: [one_hot, standardize, is_view]
# hints:
#   - >-
#     scatter_(dim, index, value) writes value to out[i][index[i][j]] for dim 1: the index needs as many axes
#     as the output. For standardize: which argument keeps a reduced axis, so that the result broadcasts
#     back? For is_view: the first entry of a view need not be the first of the storage.
#   - >-
#     Give labels a second axis of length 1 with labels[:, None]. std takes dim and keepdim and is unbiased
#     (divides by n - 1) by default. Every tensor knows its storage: t.untyped_storage(), and a storage has
#     a data_ptr().
#   - >-
#     torch.zeros(n, num_classes).scatter_(1, labels[:, None], 1.0); (x - x.mean(dim, keepdim=True)) /
#     x.std(dim, keepdim=True); a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr().
# %% [markdown]
# ## 4. Scatter, standardise, share
#
# **Scatter** is indexing on the left-hand side of an assignment, for a whole tensor of addresses at once. With
# `dim=1` it does `out[i, index[i, j]] = value` for all `i` and `j`. One-hot vectors are its simplest use: row
# $i$ gets its 1 in column `labels[i]`.
#
# **Standardise**: subtract the mean, divide by the standard deviation, along one axis and for every slice on
# its own. The unbiased standard deviation divides by $n - 1$:
#
# $$ z_i = \frac{x_i - \bar x}{s}, \qquad s^2 = \frac{1}{n - 1} \sum_{i=1}^{n} (x_i - \bar x)^2 . $$
#
# **Who shares with whom?** Two tensors are views of the same memory if their *storages* start at the same
# address. Their own first entries may lie far apart (`t[0]` and `t[2]` have no entry in common and still share
# a storage), and equal numbers say nothing at all.
# %% [raw]
# # BEGIN SOLUTION
# %%
def one_hot(labels: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Return one-hot rows, made with a scatter operation.

    Args:
        labels: int64 (n,), each in [0, num_classes); n may be 0.
        num_classes: number of columns; some classes may not occur.

    Returns:
        float32 (n, num_classes), on the device of the labels, with a 1 at [i, labels[i]] and 0 elsewhere.
    """
    # BEGIN SOLUTION NO PROMPT
    out = torch.zeros(len(labels), num_classes, device=labels.device)
    return out.scatter_(1, labels[:, None], 1.0)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: zeros, then scatter ones
    raise NotImplementedError
    """; # END PROMPT


def standardize(x: torch.Tensor, dim: int) -> torch.Tensor:
    """Return `x` with zero mean and unit unbiased standard deviation along `dim`.

    Args:
        x: floating tensor of any shape with at least two entries along `dim`, not all equal there.
        dim: the axis; negative numbers count from the end.

    Returns:
        A tensor with the shape and dtype of `x`; every slice along `dim` is standardised on its own.
    """
    # BEGIN SOLUTION NO PROMPT
    return (x - x.mean(dim=dim, keepdim=True)) / x.std(dim=dim, keepdim=True)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: subtract the mean, divide by the standard deviation
    raise NotImplementedError
    """; # END PROMPT


def is_view(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Return whether two non-empty tensors share their storage (also where they have no entry in common)."""
    # BEGIN SOLUTION NO PROMPT
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: compare the storages
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# A map of memory: which of these tensors share a storage? Right, and what your `is_view` says. Then your
# one-hot rows, and a heap of numbers before and after your `standardize`.
# %% tags=["otter_ignore"]
t = torch.arange(12.0).view(3, 4)
zoo = {
    "t": t,
    "t.T": t.T,
    "t[0]": t[0],
    "t[2]": t[2],
    "t.view(4, 3)": t.view(4, 3),
    "t.reshape(-1)": t.reshape(-1),
    "t.T.reshape(-1)": t.T.reshape(-1),
    "t.clone()": t.clone(),
    "t[[0, 1]]": t[[0, 1]],
    "t[0].expand(3, 4)": t[0].expand(3, 4),
}
storages = torch.tensor([0, 0, 0, 0, 0, 0, 1, 2, 3, 0])  # which storage each of them has
right = (storages[:, None] == storages).double()
yours = torch.tensor([[float(is_view(a, b)) for b in zoo.values()] for a in zoo.values()])
labels = torch.tensor([2, 0, 3, 3, 1])
fig, axes = plt.subplots(1, 4, figsize=(11.8, 3.2), width_ratios=[1.2, 1, 0.8, 1], layout="constrained")
for ax, table, title in ((axes[0], right, "right: shares storage"), (axes[1], yours, "yours: is_view")):
    heat(ax, table, title, vmin=0, vmax=1.4, numbers=False)
    ax.set(xticks=range(len(zoo)), yticks=range(len(zoo)) if ax is axes[0] else [])
    ax.set_xticklabels(zoo, rotation=90, fontsize=6.5)
    ax.tick_params(length=0)
axes[0].set_yticklabels(zoo, fontsize=6.5)
heat(axes[2], one_hot(labels, 4), f"yours: one_hot of\n{labels.tolist()}", vmin=0, vmax=1.4)
x = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([2.0, 0.6])
x += torch.tensor([6.0, -5.0])
z = standardize(x, 0)
for values, colour, label in ((x, GREY, "before"), (z, BLUE, "after: yours")):
    for k in range(2):
        style = {"histtype": "step", "density": True, "label": label if k == 0 else None}
        axes[3].hist(values[:, k], bins=60, color=colour, **style)
u = torch.linspace(-4, 4, 100)
axes[3].plot(u, (-u * u / 2).exp() / (2 * np.pi) ** 0.5, ":", color=ORANGE, linewidth=2, label="after: right")
axes[3].set(title="two columns, standardised", yticks=[])
axes[3].legend(frameon=False, fontsize=7)
plt.show()


# %% [raw]
# # END QUESTION
# %% [markdown]
# ## 5. What autograd records
#
# While a tensor with `requires_grad` takes part in a computation, PyTorch writes down every step: a *node* that
# knows how to multiply a cotangent with the transposed Jacobian of its operation, and the nodes of its inputs.
# That is the graph. `backward()` (or `torch.autograd.grad`) walks it once, from the result to the leaves, and
# frees it. This is logistic regression with three outputs, the example of this section:
#
# $$ z = x\, W + b, \qquad
#    L = \frac{1}{3} \sum_{k=1}^{3} \Big( \log(1 + e^{z_k}) - y_k z_k \Big), $$
#
# the mean binary cross-entropy of the *logits* $z$. Forward, values flow to the right (blue); backward,
# cotangents flow to the left (orange).
# %% tags=["otter_ignore"]
def node(ax, x, y, text, colour):
    """Draw a rounded box with text in it."""
    box = {"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": "#444444", "alpha": 0.9}
    ax.text(x, y, text, ha="center", va="center", fontsize=8.5, bbox=box, zorder=3)


def arrow(ax, start, end, colour, label="", bend=0.0, offset=(0, 0)):
    """Draw a bent arrow from one point to another, with a label at its middle."""
    style = {"arrowstyle": "-|>", "color": colour, "connectionstyle": f"arc3,rad={bend}", "shrinkA": 24, "shrinkB": 26}
    ax.annotate("", end, start, arrowprops=style, zorder=1)
    middle = ((start[0] + end[0]) / 2 + offset[0], (start[1] + end[1]) / 2 + offset[1])
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
    if label:
        ax.text(*middle, label, ha="center", va="center", fontsize=9, color=colour, bbox=box, zorder=2)


fig, ax = plt.subplots(figsize=(11, 3.6), layout="constrained")
ax.set(xlim=(-0.6, 8.7), ylim=(-0.7, 2.5))
ax.axis("off")
spots = {"x": (0, 2.1), "W": (0, 0.9), "b": (2.4, -0.3), "xW": (2.4, 1.5), "z": (4.9, 0.8), "L": (7.7, 0.8)}
node(ax, *spots["x"], "x  (5,)\ndata", "#e8e8e8")
node(ax, *spots["W"], "W  (5, 3)\nleaf", "#cfe5cf")
node(ax, *spots["b"], "b  (3,)\nleaf", "#cfe5cf")
node(ax, *spots["xW"], "x W  (3,)\nMmBackward", "#d7e5f4")
node(ax, *spots["z"], "z = x W + b  (3,)\nAddBackward", "#d7e5f4")
node(ax, *spots["L"], "L  ()\nBinaryCrossEntropy\nWithLogitsBackward", "#d7e5f4")
for start, end in (("x", "xW"), ("W", "xW"), ("xW", "z"), ("b", "z"), ("z", "L")):
    arrow(ax, spots[start], spots[end], BLUE, bend=-0.12)
arrow(ax, spots["L"], spots["z"], ORANGE, r"$\bar z = (\sigma(z) - y)\,/\,3$", -0.2, (0.0, -0.3))
arrow(ax, spots["z"], spots["xW"], ORANGE, r"$\bar z$", -0.25, (-0.1, -0.32))
arrow(ax, spots["xW"], spots["W"], ORANGE, r"$\bar W = x\,\bar z^{\top}$", -0.25, (0.1, -0.3))
arrow(ax, spots["z"], spots["b"], ORANGE, r"$\bar b = \bar z$", -0.25, (0.12, -0.3))
ax.set_title("the graph of logistic regression: nodes recorded on the way forward, walked on the way back")
plt.show()


# %% [markdown]
# The graph is no secret. `grad_fn` is the node of a tensor, `next_functions` are the nodes before it, and the
# leaves end in `AccumulateGrad`, which is where `.grad` is written:
# %% tags=["otter_ignore"]
def print_graph(function, depth=0):
    """Print the names of the nodes below `function`, one step to the right per edge."""
    print("    " * depth + type(function).__name__)
    for before, _ in function.next_functions:
        if before is not None:
            print_graph(before, depth + 1)


x, y = torch.ones(5), torch.zeros(3)
w, b = torch.randn(5, 3, requires_grad=True), torch.randn(3, requires_grad=True)
print_graph(F.binary_cross_entropy_with_logits(x @ w + b, y).grad_fn)


# %% [raw]
# # BEGIN QUESTION
# name: q5
# title: Logistic regression, and no traces
# points: 3
# names: [logistic_grads]
# hints:
#   - >-
#     The tensors that you differentiate for must require gradients. But w and b belong to the caller: what
#     can you make of them that has the same values and is yours?
#   - >-
#     w.detach() is a new tensor on the same memory, without history and without requires_grad; switch it on
#     there. torch.autograd.grad returns gradients and writes no .grad. The loss still carries its graph
#     when you return it: detach it.
#   - >-
#     w = w.detach().requires_grad_(); b likewise; loss = F.binary_cross_entropy_with_logits(x @ w + b, y);
#     dw, db = torch.autograd.grad(loss, (w, b)); return loss.detach(), dw, db.
# %% [markdown]
# **Your task.** Return the loss and its gradients, and be a good guest: `w` and `b` belong to the caller. They
# come back without a `.grad` and with `requires_grad` as it was, on or off. What you return is *detached*:
# a loss that still hangs on its graph keeps the whole graph in memory, and a list of such losses has ended
# many a training run.
#
# **Numbers.** Take the loss from the logits, not from $\sigma(z)$: in floating point
# $\log \sigma(-200) = \log 0 = -\infty$, while $\log(1 + e^{200}) = 200$ can be had without overflow.
# `F.binary_cross_entropy_with_logits` does it right.
# %% [raw]
# # BEGIN SOLUTION
# %%
def logistic_grads(
    x: torch.Tensor, y: torch.Tensor, w: torch.Tensor, b: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (loss, dw, db) of logistic regression for one input, with autograd.

    Args:
        x: input (5,).
        y: targets (3,), floating, each 0 or 1 (or between).
        w: weights (5, 3). Comes back without .grad and with requires_grad as it was.
        b: biases (3,). Likewise.
        The lengths 5 and 3 are those of the example; others work, too.

    Returns:
        loss (): the mean over the outputs of the binary cross-entropy with logits x @ w + b; dw (5, 3) and
        db (3,): its gradients. All three are detached.

    Source: Goodfellow, Bengio and Courville, Deep Learning (2016), section 6.2.2.2.
    """
    # BEGIN SOLUTION NO PROMPT
    w = w.detach().requires_grad_(True)
    b = b.detach().requires_grad_(True)
    loss = F.binary_cross_entropy_with_logits(x @ w + b, y)
    dw, db = torch.autograd.grad(loss, (w, b))
    return loss.detach(), dw, db
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: leaves of your own, loss, gradients; leave no traces
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Your gradient beside the one of central differences, which know nothing of graphs, and the right one by the
# formula of the figure, $\bar W = x\, \bar z^\top$.
# %% tags=["otter_ignore"]
generator = torch.Generator().manual_seed(1)
x, w, b = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((5,), (5, 3), (3,)))
y = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
loss, dw, db = logistic_grads(x, y, w, b)


def plain_loss(weights):
    """The loss of section 5 for given weights, without autograd."""
    logits = x @ weights + b
    return float((torch.logaddexp(logits, torch.zeros(())) - y * logits).mean())


slopes = torch.zeros(5, 3, dtype=torch.float64)
for i in range(5):
    for j in range(3):
        step = torch.zeros(5, 3, dtype=torch.float64)
        step[i, j] = 1e-6
        slopes[i, j] = (plain_loss(w + step) - plain_loss(w - step)) / 2e-6
formula = torch.outer(x, (torch.sigmoid(x @ w + b) - y) / 3)
span = float(formula.abs().max())
fig, axes = plt.subplots(1, 4, figsize=(10.5, 2.8), width_ratios=[1, 1, 1, 1.3], layout="constrained")
tables = {"right: by the formula": formula, "yours: dw": dw, "central differences": slopes}
for ax, (title, values) in zip(axes, tables.items(), strict=False):
    heat(ax, values, title, cmap="RdBu", vmin=-span, vmax=span, numbers=False)
axes[3].plot([-span, span], [-span, span], color=GREY, linewidth=0.8)
axes[3].plot(slopes.flatten(), dw.flatten(), "o", color=BLUE, markersize=4)
axes[3].set(title="yours against differences", xlabel="central difference", ylabel="your dw")
plt.show()


# %% [raw]
# # END QUESTION
# %% [markdown]
# ## 6. Backward by hand, and backward twice
#
# **Your own node.** A `torch.autograd.Function` is a pair: `forward` computes the value, `backward` turns the
# cotangent of the result into the cotangent of the input. Ours is $y = \sigma(x)^3$. With
# $\sigma' = \sigma(1 - \sigma)$ the chain rule gives the first derivative:
#
# $$ y' = 3\sigma^2 \cdot \sigma' = 3\,\sigma^3 (1 - \sigma),
#    \qquad \bar x = \bar y \cdot 3\,\sigma^3 (1 - \sigma). $$
#
# **The second derivative.** PyTorch differentiates a backward pass by recording it like any other
# computation. So if `backward` is made of differentiable operations on things that are connected to the graph,
# the second derivative comes for free. It must be
#
# $$ y'' = 3 \big( 3 \sigma^2 (1 - \sigma) - \sigma^3 \big) \sigma'
#        = 3\,\sigma^3 (1 - \sigma)(3 - 4 \sigma). $$
#
# Here is the trap. In `forward` nothing is recorded. If you save an *intermediate* result there (say
# $\sigma$), `backward` will find a number without a past, and the second derivative will be silently
# wrong. Save inputs or outputs with `ctx.save_for_backward`; these PyTorch can connect again.
#
# **Hessian times vector.** The Hessian of $f$ has $d^2$ entries, but its product with a vector costs only
# about as much as two gradients (Pearlmutter, 1994). Differentiate the number $g(x) \cdot v$, where
# $g = \nabla f$ and $v$ is held fixed:
#
# $$ \nabla_x \big( g(x) \cdot v \big)_i = \sum_j \frac{\partial g_j}{\partial x_i} v_j
#    = \sum_j H_{ij} v_j = (H v)_i . $$
#
# That is one backward pass through a backward pass, so the first one must be recorded: `create_graph=True`.
#
# **One graph at a time.** A sum of gradients over many inputs can be had in two ways: build the sum and
# differentiate it, with all graphs in memory at once, or differentiate each term and add the gradients up.
# The result is the same (the gradient is linear), the memory is not. This is how large batches fit into small
# GPUs.
# %% [raw]
# # BEGIN QUESTION
# name: q6
# title: Backward by hand, and twice
# points: 3
# names: [CubeSigmoid, accumulate, hessian_vector_product]
# hints:
#   - >-
#     CubeSigmoid: what do you need from forward in order to compute the derivative, and is it an input, an
#     output or neither? accumulate: when is a graph freed? hessian_vector_product: two calls of
#     torch.autograd.grad; one of them must itself be recorded.
#   - >-
#     Save x, compute sigmoid(x) again in backward, and multiply by grad_output. In accumulate, call
#     torch.autograd.grad inside the loop, on an x that is yours (detach). For the Hessian, create_graph=True
#     in the first call, and v as grad_outputs of the second.
#   - >-
#     backward: s = torch.sigmoid(x); return grad_output * 3 * s**3 * (1 - s). accumulate: x =
#     x.detach().requires_grad_(); total = total + torch.autograd.grad(fn(x), x)[0]. hvp: (g,) =
#     torch.autograd.grad(f(x), x, create_graph=True); torch.autograd.grad(g, x, grad_outputs=v)[0].
# %% [raw]
# # BEGIN SOLUTION
# %%
class CubeSigmoid(torch.autograd.Function):
    """The function sigmoid(x) ** 3, elementwise, with a hand-written backward; use it as CubeSigmoid.apply(x).

    Its backward can be differentiated again: gradcheck and gradgradcheck pass.

    Source: the derivation above.
    """

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        """Return sigmoid(x) ** 3, same shape and dtype as `x`, and save what `backward` needs."""
        # BEGIN SOLUTION NO PROMPT
        ctx.save_for_backward(x)
        return torch.sigmoid(x) ** 3
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: save, compute
        raise NotImplementedError
        """; # END PROMPT

    @staticmethod
    def backward(ctx, grad_output: torch.Tensor) -> torch.Tensor:
        """Return the cotangent of x, given the cotangent of the result; by formula, without autograd."""
        # BEGIN SOLUTION NO PROMPT
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad_output * 3 * s**3 * (1 - s)
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: the chain rule
        raise NotImplementedError
        """; # END PROMPT


def accumulate(fn: Callable[[torch.Tensor], torch.Tensor], xs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the sum over x in `xs` of the gradient of `fn` at x, with one graph alive at a time.

    Args:
        fn: turns a tensor into a scalar tensor.
        xs: a non-empty list of tensors of one shape; they are not changed.

    Returns:
        A tensor of the shape of each x.
    """
    # BEGIN SOLUTION NO PROMPT
    total = torch.zeros_like(xs[0])
    for x in xs:
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(fn(x), x)  # frees the graph before the next one is built
        total = total + gradient
    return total.detach()
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: differentiate inside the loop
    raise NotImplementedError
    """; # END PROMPT


def hessian_vector_product(f: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return H v, where H is the Hessian of `f` at `x`.

    Args:
        f: turns a tensor into a scalar tensor; twice differentiable.
        x: the point, any shape.
        v: the vector, same shape as `x`.

    Returns:
        A tensor of the shape of `x`: entry i is the sum over j of d2f/dx_i dx_j times v_j.

    Source: Pearlmutter, Fast Exact Multiplication by the Hessian (1994).
    """
    # BEGIN SOLUTION NO PROMPT
    x = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(f(x), x, create_graph=True)
    (product,) = torch.autograd.grad(gradient, x, grad_outputs=v)
    return product
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: backward through a backward
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Your function, its first and its second derivative (lines), on top of the formulas (dots). If the third pair
# disagrees, look at what you save. In the middle: bytes that your graphs keep alive while `accumulate` runs.
# On the right: $f(x) = x_1^4 / 4 + x_1 x_2 + x_2^2$ and your product $Hv$ at several points. It shows
# how the gradient changes when you step along $v$.
# %% tags=["otter_ignore"]
x = torch.linspace(-6, 8, 300, dtype=torch.float64, requires_grad=True)
value = CubeSigmoid.apply(x)
(first,) = torch.autograd.grad(value.sum(), x, create_graph=True)
second = torch.zeros_like(x)
if first.requires_grad:
    found = torch.autograd.grad(first.sum(), x, allow_unused=True)[0]
    second = second if found is None else found
s = torch.sigmoid(x.detach())
formulas = (s**3, 3 * s**3 * (1 - s), 3 * s**3 * (1 - s) * (3 - 4 * s))
fig, axes = plt.subplots(1, 3, figsize=(11.5, 3.4), layout="constrained")
names = (r"$\sigma(x)^3$", "first derivative", "second derivative")
for curve, formula, colour, name in zip((value, first, second), formulas, (BLUE, ORANGE, GREEN), names, strict=True):
    axes[0].plot(x.detach(), curve.detach(), color=colour, label=f"yours: {name}")
    axes[0].plot(x.detach()[::12], formula[::12], "o", color=colour, markersize=3)
axes[0].legend(frameon=False, fontsize=7)
axes[0].set(title="CubeSigmoid: lines yours, dots right", xlabel="$x$")


class Parcel:
    """A saved tensor; while one exists, its bytes count."""

    alive = 0

    def __init__(self, tensor):
        self.tensor = tensor
        Parcel.alive += tensor.numel() * tensor.element_size()

    def __del__(self):
        Parcel.alive -= self.tensor.numel() * self.tensor.element_size()


def watched(history):
    """A scalar function that notes how many bytes its graphs hold, before and after each call."""

    def f(x):
        history.append(Parcel.alive / 1e6)
        with torch.autograd.graph.saved_tensors_hooks(Parcel, lambda parcel: parcel.tensor):
            result = x.tanh().exp().square().sum()
        history.append(Parcel.alive / 1e6)
        return result

    return f


xs = [torch.randn(50_000) for _ in range(8)]
all_at_once, yours = [], []
leaves = [x.clone().requires_grad_() for x in xs]
torch.autograd.grad(torch.stack([watched(all_at_once)(leaf) for leaf in leaves]).sum(), leaves)
accumulate(watched(yours), xs)
for history, colour, label in ((all_at_once, ORANGE, "the sum, then one backward"), (yours, BLUE, "yours")):
    axes[1].plot(np.arange(len(history)) / 2, history, ".-", color=colour, label=label)
axes[1].set(title="memory of live graphs", xlabel="calls of fn", ylabel="megabytes", ylim=(0, None))
axes[1].legend(frameon=False)
u = torch.linspace(-2.0, 2.0, 80)
grid = torch.stack(torch.meshgrid(u, u, indexing="xy"), -1)
height = grid[..., 0] ** 4 / 4 + grid[..., 0] * grid[..., 1] + grid[..., 1] ** 2
axes[2].contour(u, u, height, levels=24, colors="#bbbbbb", linewidths=0.6)
v = torch.tensor([0.5, -0.6])
for point in torch.cartesian_prod(torch.tensor([-1.2, 0.0, 1.2]), torch.tensor([-1.0, 0.0, 1.0])):
    hv = hessian_vector_product(lambda x: x[0] ** 4 / 4 + x[0] * x[1] + x[1] ** 2, point, v)
    right = torch.stack([3 * point[0] ** 2 * v[0] + v[1], v[0] + 2 * v[1]])
    style = {"angles": "xy", "scale_units": "xy", "scale": 2.2, "width": 0.008, "zorder": 3}
    axes[2].quiver(*point, *v, color=GREY, **style)
    axes[2].quiver(*point, *hv, color=BLUE, **style)
    axes[2].plot(*(point + right / 2.2), "o", color=ORANGE, markersize=3.5, zorder=4)
axes[2].set(title="grey: $v$; blue: your $Hv$; dots: where it must end", aspect="equal", xticks=[], yticks=[])
plt.show()


# %% [raw]
# # END QUESTION
# %% [markdown]
# ## 7. A first network, kept and judged
#
# A multi-layer perceptron is linear maps with a kink between them. Without the ReLU the three maps would
# collapse into one. The last layer gives *logits*, real numbers; `F.cross_entropy` contains the softmax, so a
# softmax inside the model would be one too many. With the default sizes there are
#
# $$ (784 \cdot 512 + 512) + (512 \cdot 512 + 512) + (512 \cdot 10 + 10) = 669\,706 $$
#
# parameters. Count yours.
#
# **Keep the weights, not the object.** `torch.save(model)` pickles the whole object, and *loading a pickle runs
# code*: whoever sends you such a file owns your machine. A `state_dict` is nothing but names and tensors, and
# `torch.load(path, weights_only=True)` refuses everything else.
#
# **Judge it properly.** Four things go wrong in evaluation loops all the time:
#
# 1. dropout and batch norm behave differently in training: call `model.eval()`, and afterwards put the model
#    back into *the mode it was in*;
# 2. nothing is differentiated here, so no graph should be recorded: `torch.no_grad()`;
# 3. the last batch may be smaller: the mean of batch means is not the mean over the samples;
# 4. accuracy is a fraction of samples, between 0 and 1.
# %% [raw]
# # BEGIN QUESTION
# name: q7
# title: A first network, kept and judged
# points: 3
# names: [MLP, save_weights, load_weights, evaluate]
# hints:
#   - >-
#     Flatten all axes but the first. Which object of the model holds its weights, and only these? In evaluate,
#     what must you remember before the first line that changes something?
#   - >-
#     nn.Flatten() or x.flatten(1); model.state_dict() and model.load_state_dict(...); torch.load with
#     weights_only=True. In evaluate, add up the losses of samples (reduction="sum", or the mean times the
#     size of the batch) and divide by the number of samples at the end.
#   - >-
#     was_training = model.training; model.eval(); with torch.no_grad(): for x, y in loader: logits =
#     model(x.to(device)); total += F.cross_entropy(logits, y, reduction="sum").item(); correct +=
#     (logits.argmax(1) == y).sum().item(); count += len(y); finally model.train(was_training).
# %% [raw]
# # BEGIN SOLUTION
# %%
class MLP(nn.Module):
    """Three linear layers with two ReLUs between them.

    Args:
        in_features: numbers in one flattened input.
        hidden: width of both hidden layers.
        classes: number of logits.
    """

    def __init__(self, in_features: int = 784, hidden: int = 512, classes: int = 10) -> None:
        super().__init__()
        # BEGIN SOLUTION NO PROMPT
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_features, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: create the layers
        raise NotImplementedError
        """; # END PROMPT

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn inputs (N, ...) with in_features numbers each into logits (N, classes)."""
        # BEGIN SOLUTION NO PROMPT
        return self.layers(x)
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: flatten, then layer by layer
        raise NotImplementedError
        """; # END PROMPT


def save_weights(model: nn.Module, path: str | os.PathLike) -> None:
    """Write the weights and buffers of `model` to the file `path`: names and tensors, no objects."""
    # BEGIN SOLUTION NO PROMPT
    torch.save(model.state_dict(), path)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: save the state_dict
    raise NotImplementedError
    """; # END PROMPT


def load_weights(model: nn.Module, path: str | os.PathLike) -> nn.Module:
    """Read weights that `save_weights` wrote into `model`, in place; returns the model, too.

    Loads weights only: a file that holds any other pickled object is refused with an exception, and no code
    of it runs.
    """
    # BEGIN SOLUTION NO PROMPT
    model.load_state_dict(torch.load(path, weights_only=True))
    return model
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: load weights only, into the model that was given
    raise NotImplementedError
    """; # END PROMPT


def evaluate(
    model: nn.Module, loader: Iterable[tuple[torch.Tensor, torch.Tensor]], device: torch.device | str
) -> tuple[float, float]:
    """Return (loss, accuracy) of a classifier over all samples of a loader.

    Args:
        model: turns inputs (N, ...) into logits (N, classes); it is on `device`.
        loader: gives batches (x, y) with y int64 (N,); the last batch may be smaller.
        device: where the batches are put.

    Returns:
        The mean cross-entropy per sample and the fraction of samples whose largest logit is the right one. Runs
        in eval mode, records no graph, and leaves the model in the mode in which it was.
    """
    # BEGIN SOLUTION NO PROMPT
    was_training = model.training
    model.eval()
    loss, correct, count = 0.0, 0, 0
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            logits = model(x)
            loss += F.cross_entropy(logits, y, reduction="sum").item()
            correct += (logits.argmax(dim=1) == y).sum().item()
            count += len(y)
    model.train(was_training)
    return loss / count, correct / count
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: remember the mode, loop without a graph, weigh by samples, restore
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Does it learn? Three arms of a spiral, your network with two inputs, and a training loop that you will write
# yourself in the next assignment. The weights go through your file on the way: the third picture is drawn by
# a fresh network that has loaded them, and must look like the second one.
# %% tags=["otter_ignore"]
generator = torch.Generator().manual_seed(0)
labels = torch.arange(3).repeat_interleave(150)
radius = torch.rand(450, generator=generator).sqrt()
turn = 4.2 * radius + labels * 2 * np.pi / 3 + 0.16 * torch.randn(450, generator=generator)
points = torch.stack([radius * turn.cos(), radius * turn.sin()], 1)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(points, labels), batch_size=64)
torch.manual_seed(0)
model, fresh = MLP(2, 64, 3), MLP(2, 64, 3)
pictures = {"before training": None, "after 300 steps": None, "a fresh network, weights loaded": None}
u = torch.linspace(-1.15, 1.15, 160)
grid = torch.stack(torch.meshgrid(u, u, indexing="xy"), -1).view(-1, 2)


def regions(net):
    """The probabilities of the three classes over the grid, as the colours of an image."""
    with torch.no_grad():
        return net(grid).softmax(1).view(160, 160, 3)


history = [(0, *evaluate(model, loader, "cpu"))]
pictures["before training"] = regions(model)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(1, 301):
    chosen = torch.randint(450, (64,), generator=generator)
    optimizer.zero_grad()
    F.cross_entropy(model(points[chosen]), labels[chosen]).backward()
    optimizer.step()
    if step % 10 == 0:
        history.append((step, *evaluate(model, loader, "cpu")))
pictures["after 300 steps"] = regions(model)
with tempfile.TemporaryDirectory() as folder:
    save_weights(model, Path(folder) / "weights.pt")
    load_weights(fresh, Path(folder) / "weights.pt")
pictures["a fresh network, weights loaded"] = regions(fresh)
palette = torch.tensor([[0.12, 0.37, 0.60], [0.85, 0.45, 0.10], [0.18, 0.55, 0.34]])
fig, axes = plt.subplots(1, 4, figsize=(12, 3.1), width_ratios=[1, 1, 1, 1.2], layout="constrained")
for ax, (title, picture) in zip(axes, pictures.items(), strict=False):
    ax.imshow((0.35 + 0.65 * picture @ palette).clamp(0, 1), extent=(-1.15, 1.15) * 2, origin="lower")
    ax.scatter(*points.T, c=palette[labels].numpy(), s=5, edgecolors="white", linewidths=0.3)
    ax.set(title=title)
    ax.axis("off")
steps, losses, accuracies = zip(*history, strict=True)
axes[3].plot(steps, losses, color=ORANGE, label="cross-entropy per sample")
axes[3].plot(steps, accuracies, color=BLUE, label="accuracy")
axes[3].axhline(np.log(3), color=GREY, linestyle=":", linewidth=0.9)
axes[3].text(300, np.log(3) + 0.02, r"$\log 3$: guessing", ha="right", fontsize=7, color=GREY)
axes[3].set(title="your evaluate, every 10 steps", xlabel="step", ylim=(0, 1.3))
axes[3].legend(frameon=False, fontsize=7)
plt.show()
# %% [raw]
# # END QUESTION
# %% [markdown]
# ## Further reading
#
# - A. Paszke et al., *PyTorch: An Imperative Style, High-Performance Deep Learning Library*, 2019.
#   [arXiv:1912.01703](https://arxiv.org/abs/1912.01703). Why the graph is recorded while your code runs, and
#   how storages and views are kept apart.
# - A. G. Baydin et al., *Automatic Differentiation in Machine Learning: a Survey*, 2018.
#   [arXiv:1502.05767](https://arxiv.org/abs/1502.05767). Forward mode, reverse mode, and what neither of them is.
# - B. A. Pearlmutter, *Fast Exact Multiplication by the Hessian*, Neural Computation 6(1), 1994. Five pages
#   that made second derivatives affordable.
# - I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning*, 2016, [chapter
#   6](https://www.deeplearningbook.org/contents/mlp.html). Multi-layer perceptrons; section 6.5 is
#   backpropagation on graphs.
