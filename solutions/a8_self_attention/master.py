# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [raw]
# # ASSIGNMENT CONFIG
# slug: a8_self_attention
# title: Self-attention
# limits: {call_seconds: 30, question_seconds: 90, total_seconds: 180}
# %% [markdown]
# # Self-attention
#
# **What you will be able to do**
#
# - write a softmax that survives large numbers and empty rows, and its backward pass by hand;
# - write scaled dot-product attention with masks, and say why it divides by $\sqrt d$;
# - derive the gradients of attention with respect to queries, keys and values, with all shapes;
# - build multi-head attention that loads the weights of `torch.nn.MultiheadAttention`;
# - generate step by step with a cache of keys and values, and build a pre-norm Transformer block;
# - train a small model whose attention you can read: it learns to reverse a sequence.
#
# **What is given and what is forbidden.** You write PyTorch. In questions 1 to 4 everything that would do
# the work for you is off limits: PyTorch's own softmax in every spelling, `F.scaled_dot_product_attention`,
# `nn.MultiheadAttention` (also as a base class) and `F.multi_head_attention_forward`. Plan for 1 to 3 hours.
#
# ## The idea
#
# A dictionary look-up compares one *query* with all *keys*, finds the key that is equal, and returns its
# *value*. Attention is the soft version of it. Query and keys are vectors, "equal" becomes "has a large dot
# product", and instead of one value we get a weighted mean of all values:
#
# $$ \text{out}_i = \sum_{j=1}^{m} w_{ij}\, v_j, \qquad
#    w_{ij} = \frac{\exp(s_{ij})}{\sum_{l} \exp(s_{il})}, \qquad
#    s_{ij} = \frac{q_i \cdot k_j}{\sqrt d}. $$
#
# For $n$ queries and $m$ keys at once these are two matrix products with a softmax in between:
#
# $$ \text{out} = \underbrace{\operatorname{softmax}\!\Big(\frac{Q K^\top}{\sqrt d}\Big)}_{W \; (n,\, m)}\; V,
#    \qquad Q\,(n, d),\quad K\,(m, d),\quad V\,(m, e). $$
#
# In *self*-attention queries, keys and values are three linear maps of the same sequence, so every position
# asks every other position of its own sequence.
# %%
from __future__ import annotations

import math
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
# %%
import deepmarks

grader = deepmarks.Notebook("a8_self_attention")
# %% [markdown]
# The figure follows one small example through the formula. Read it from left to right: the second query
# looks like the first key, so the second row of the weights is large in its first column, so the second row
# of the result is mostly the first value.
# %% tags=["otter_ignore"]
plt.rcParams.update({"figure.dpi": 110, "font.size": 9, "axes.titlesize": 10, "axes.spines.top": False})
plt.rcParams.update({"axes.spines.right": False, "image.interpolation": "nearest"})
BLUE, ORANGE, GREEN, GREY = "#1f5f99", "#d9731a", "#2e8b57", "#777777"


def heat(ax, values, title="", rows="", columns="", cmap="Blues", vmin=0.0, vmax=None, numbers=True):
    """Draw a matrix as a heat map, with its numbers where there is room."""
    values = torch.as_tensor(values).detach()
    vmax = float(values.max()) if vmax is None else vmax
    ax.imshow(values, cmap=cmap, vmin=vmin, vmax=vmax, aspect="equal")
    ax.set(title=title, xlabel=columns, ylabel=rows)
    ax.set(xticks=range(values.shape[1]), yticks=range(values.shape[0]))
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if numbers:
        for i, row in enumerate(values.tolist()):
            for j, value in enumerate(row):
                colour = "white" if abs(value) > 0.6 * max(abs(vmin), abs(vmax)) else "black"
                text = f"{round(value, 2) + 0.0:g}"
                ax.text(j, i, text, ha="center", va="center", fontsize=7, color=colour)


Q = torch.tensor([[0.0, 2.0, 0.0], [3.0, 0.0, 0.0]])
K = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0], [1.0, 1.0, 0.0]])
V = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.0, 0.0]])
S = Q @ K.T / math.sqrt(3)
W = S.exp() / S.exp().sum(1, keepdim=True)
fig, axes = plt.subplots(1, 6, figsize=(11, 2.6), width_ratios=[3, 4, 4, 4, 2, 2], layout="constrained")
heat(axes[0], Q, "queries $Q$ (2, 3)", "query", "feature")
heat(axes[1], K.T, r"keys $K^\top$ (3, 4)", "feature", "key")
heat(axes[2], S, r"scores $QK^\top/\sqrt{d}$ (2, 4)", "query", "key")
heat(axes[3], W, "weights $W$ (2, 4)", "query", "key", cmap="Oranges", vmax=1)
heat(axes[4], V, "values $V$ (4, 2)", "key", "feature", cmap="Greens", vmax=1)
heat(axes[5], W @ V, "$WV$ (2, 2)", "query", "feature", cmap="Greens", vmax=1)
plt.show()


# %% [markdown]
# **One convention for masks, everywhere in this notebook:** a mask is boolean and `True` means *may attend*.
# `F.scaled_dot_product_attention` has the same convention. `nn.MultiheadAttention` has the opposite one:
# there `True` means *blocked*. Many bugs live in that sentence.
# %% [raw]
# # BEGIN QUESTION
# name: q1
# title: Softmax and its backward pass
# points: 3
# names: [softmax, softmax_vjp]
# forbid: [softmax, attention]
# hints:
#   - >-
#     The softmax does not change when you subtract one number from the whole row. Which number keeps exp from
#     overflowing? And what is that number when the whole row is -inf?
#   - >-
#     Subtract the maximum along dim, but take 0 where the maximum is -inf. The exponentials of such a row are
#     all 0, and so is their sum; divide by 1 instead of 0 there. For the backward pass write down the sum
#     over i of g_i * s_i * (delta_ij - s_j).
#   - >-
#     top = x.amax(dim, keepdim=True); top = top.masked_fill(top == -math.inf, 0.0); e = torch.exp(x - top);
#     total = e.sum(dim, keepdim=True); divide e by total.masked_fill(total == 0, 1.0). The backward pass is s
#     * (g - (g * s).sum(dim, keepdim=True)).
# %% [markdown]
# ## 1. Softmax and its backward pass
#
# $$ s_i = \frac{e^{x_i}}{\sum_l e^{x_l}} $$
#
# **Large numbers.** $e^{10^4}$ is `inf`, and `inf / inf` is NaN. But adding a constant to all $x_l$ cancels
# in the fraction, so subtract the maximum first: the largest exponent is then 0.
#
# **Empty rows.** A mask sets forbidden scores to $-\infty$, since $e^{-\infty} = 0$. If *everything* in a
# row is forbidden, the maximum is $-\infty$ too and $-\infty - (-\infty)$ is NaN. We define the softmax of
# such a row as all zeros: nothing may be looked at, so nothing is.
#
# **The Jacobian.** Take the logarithm, $\log s_i = x_i - \log \sum_l e^{x_l}$, and differentiate:
#
# $$ \frac{1}{s_i} \frac{\partial s_i}{\partial x_j} = \delta_{ij} - s_j
#    \qquad\Longrightarrow\qquad
#    \frac{\partial s_i}{\partial x_j} = s_i\,(\delta_{ij} - s_j),
#    \qquad J = \operatorname{diag}(s) - s s^\top. $$
#
# Backpropagation never needs $J$ itself. It needs the *vector-Jacobian product*: a cotangent
# $g_i = \partial L / \partial s_i$ comes in from above,
# $\partial L / \partial x_j = \sum_i g_i\, \partial s_i / \partial x_j$ goes out. Insert $J$ and simplify
# the sum: you should need one multiplication, one sum along `dim` and one subtraction, and no matrix of size
# $m \times m$.
# %% [raw]
# # BEGIN SOLUTION
# %%
def softmax(x: torch.Tensor, dim: int) -> torch.Tensor:
    """Return the softmax of `x` along `dim`.

    Args:
        x: float32 or float64 tensor of any shape. Entries may be as large as 1e4 or as small as -inf.
        dim: the axis that sums to one; negative numbers count from the end.

    Returns:
        A tensor with the shape and dtype of `x`. Where all entries along `dim` are -inf the result is zero.

    Source: Goodfellow, Bengio and Courville, Deep Learning (2016), section 4.1.
    """
    # BEGIN SOLUTION NO PROMPT
    top = x.amax(dim=dim, keepdim=True)
    top = top.masked_fill(top == -math.inf, 0.0)
    exponentials = torch.exp(x - top)
    total = exponentials.sum(dim=dim, keepdim=True)
    return exponentials / total.masked_fill(total == 0, 1.0)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: subtract the maximum, exponentiate, normalise; mind the rows of -inf
    raise NotImplementedError
    """; # END PROMPT


def softmax_vjp(s: torch.Tensor, g: torch.Tensor, dim: int) -> torch.Tensor:
    """Return the gradient with respect to the softmax's input, by hand (no autograd).

    Args:
        s: the softmax, as `softmax` returned it; any shape.
        g: the cotangent dL/ds, same shape as `s`.
        dim: the axis along which `s` sums to one.

    Returns:
        dL/dx, same shape and dtype as `s`. It is zero where `s` is a row of zeros.

    Source: the vector-Jacobian product with J = diag(s) - s s^T, derived above.
    """
    # BEGIN SOLUTION NO PROMPT
    return s * (g - (g * s).sum(dim=dim, keepdim=True))
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: s_j times (g_j minus the sum of g_i s_i)
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Look at what you built. The Jacobian has a positive diagonal and negative off-diagonal entries, and each of
# its rows sums to zero: pushing all scores up together changes nothing. On the right the scores are
# multiplied by a growing factor: the softmax turns into a hard maximum, and its derivative dies.
# %% tags=["otter_ignore"]
x = torch.tensor([1.0, 0.0, 2.0, -1.0, 0.5])
s = softmax(x, 0)
jacobian = torch.stack([softmax_vjp(s, row, 0) for row in torch.eye(5)])
factors = torch.logspace(-1, 1.5, 60)
curves = torch.stack([softmax(factor * x, 0) for factor in factors])
sizes = torch.stack([torch.stack([softmax_vjp(c, row, 0) for row in torch.eye(5)]).norm() for c in curves])
fig, axes = plt.subplots(1, 3, figsize=(11, 3), width_ratios=[1.2, 1, 1.3], layout="constrained")
axes[0].bar(range(5), s, color=BLUE)
axes[0].set(title="softmax of (1, 0, 2, -1, 0.5)", xlabel="entry", ylabel="$s_i$")
title = r"Jacobian $\mathrm{diag}(s) - ss^\top$"
heat(axes[1], jacobian, title, "$i$", "$j$", cmap="RdBu", vmin=-0.3, vmax=0.3)
axes[2].semilogx(factors, curves[:, 2], color=BLUE, label="largest weight")
axes[2].semilogx(factors, sizes, color=ORANGE, label="norm of the Jacobian")
axes[2].set(title="the same scores, times a factor", xlabel="factor", ylim=(0, 1.02))
axes[2].legend(frameon=False)
plt.show()
# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q2
# title: Scaled dot-product attention
# points: 3
# names: [attention]
# forbid: [softmax, attention]
# hints:
#   - >-
#     Write down the shape after every line. Which axis of the scores belongs to the keys, and over which axis
#     must the weights of one query sum to one?
#   - >-
#     The scores are q @ k.transpose(-2, -1) divided by the square root of d = q.shape[-1]. Put -inf where the
#     mask is False, before the softmax, and let your softmax deal with rows that are all -inf.
#   - >-
#     scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); if there is a mask, scores =
#     scores.masked_fill(~mask, -math.inf); weights = softmax(scores, -1); return weights @ v, weights.
# %% [markdown]
# ## 2. Scaled dot-product attention
#
# **Why divide by $\sqrt d$?** Let the entries of $q$ and $k$ be independent with mean 0 and variance 1. Each
# product $q_l k_l$ has mean 0 and variance 1, and $q \cdot k$ is a sum of $d$ of them:
#
# $$ \operatorname{Var}(q \cdot k) = \sum_{l=1}^{d} \operatorname{Var}(q_l k_l) = d. $$
#
# So with $d = 512$ typical scores are $\pm 23$. You have just seen what the softmax does with such scores:
# all weight goes to one key, and the gradient vanishes. Divided by $\sqrt d$ the scores have variance 1,
# whatever $d$ is.
# %% tags=["otter_ignore"]
generator = torch.Generator().manual_seed(0)
fig, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
for d, colour in [(4, GREEN), (64, BLUE), (512, ORANGE)]:
    pairs = torch.randn(2, 20000, d, generator=generator)
    style = {"histtype": "step", "color": colour, "label": f"d = {d}"}
    axes[0].hist((pairs[0] * pairs[1]).sum(1).numpy(), bins=120, range=(-60, 60), density=True, **style)
axes[0].set(title=r"dot products $q \cdot k$, unscaled", xlabel=r"$q \cdot k$", ylabel="density")
axes[0].set_yscale("log")
axes[0].legend(frameon=False)
widths = [2**i for i in range(1, 11)]
variance, largest, slope = [], {"unscaled": [], "scaled": []}, {"unscaled": [], "scaled": []}
for d in widths:
    q, k = torch.randn(400, 1, d, generator=generator), torch.randn(400, 16, d, generator=generator)
    dots = (q * k).sum(-1)  # (400, 16): 400 queries with 16 keys each
    variance.append(float(dots.var()))
    for name, scores in [("unscaled", dots), ("scaled", dots / math.sqrt(d))]:
        s = softmax(scores, -1)
        largest[name].append(float(s.amax(-1).mean()))
        slope[name].append(float((s * (1 - s)).sum(-1).mean()))  # the trace of the Jacobian
axes[1].loglog(widths, variance, "o", color=ORANGE, label=r"measured variance of $q \cdot k$")
axes[1].loglog(widths, widths, color=GREY, label="$d$")
scaled_variance = torch.tensor(variance) / torch.tensor(widths)
axes[1].loglog(widths, scaled_variance, "o", color=BLUE, label=r"after $1/\sqrt{d}$")
axes[1].set(title="the variance grows with $d$", xlabel="$d$", ylabel="variance")
axes[1].legend(frameon=False)
for name, colour in [("unscaled", ORANGE), ("scaled", BLUE)]:
    style = {"color": colour, "markersize": 4}
    axes[2].semilogx(widths, largest[name], "o-", label=f"{name}: largest of 16 weights", **style)
    axes[2].semilogx(widths, slope[name], "s--", label=f"{name}: trace of the Jacobian", **style)
axes[2].set(title="the softmax saturates without the scale", xlabel="$d$", ylim=(0, 1.02))
axes[2].legend(frameon=False, fontsize=7)
plt.show()


# %% [markdown]
# **The mask.** It is boolean, `True` means may attend, and it broadcasts to the shape of the scores `(...,
# n, m)`. A mask of shape `(m,)` hides keys from all queries, one of shape `(n, m)` is shared by the batch.
# Forbidden entries get weight *exactly* zero, and the others still sum to one. So the mask acts before the
# softmax, not after. A query that may look at nothing gets weights and output zero, never NaN, and no NaN
# reaches the gradients either: one NaN in one padded row is enough to lose a training run.
# %% [raw]
# # BEGIN SOLUTION
# %%
def attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the result of scaled dot-product attention, and its weights.

    Args:
        q: queries (..., n, d).
        k: keys (..., m, d).
        v: values (..., m, e).
        mask: boolean, broadcasts to (..., n, m); True = may attend. None: everything may be attended.

    Returns:
        (out, weights) of shapes (..., n, e) and (..., n, m), in the dtype of the inputs. Rows of `weights`
        sum to one; fully masked rows are zero, in `out` too. No NaN in the gradients either.

    Source: Vaswani et al., Attention Is All You Need (2017), equation 1.
    """
    # BEGIN SOLUTION NO PROMPT
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (..., n, m)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = softmax(scores, -1)
    return weights @ v, weights
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: scaled scores, mask, softmax over the keys, weighted mean of the values
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% tags=["otter_ignore"]
generator = torch.Generator().manual_seed(3)
q, k, v = (torch.randn(4, 8, generator=generator) for _ in range(3))
out, weights = attention(q, k, v)
print("out", tuple(out.shape), " weights", tuple(weights.shape), " row sums", weights.sum(-1).tolist())


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q3
# title: Backward through attention, and two masks
# points: 4
# names: [attention_vjp, causal_mask, padding_mask]
# forbid: [softmax, attention]
# hints:
#   - >-
#     Go backwards through the three lines of the forward pass. A product A = B C has dB = dA C^T and dC = B^T
#     dA; check each of them with the shapes.
#   - >-
#     You need the weights again, so compute them with your attention. The mask needs no extra work, because a
#     masked weight is zero and softmax_vjp multiplies by it. The scale sits between the scores and q, k, so
#     it appears in dq and in dk, but not in dv.
#   - >-
#     dv = w^T g; dw = g v^T; ds = softmax_vjp(w, dw, -1) / sqrt(d); dq = ds k; dk = ds^T q, where ^T is
#     transpose(-2, -1). The masks compare positions: j <= i for the causal one, j < length for the padding.
# %% [markdown]
# ## 3. Backward through attention, and two masks
#
# One forward pass, written as three steps with shapes (leading batch axes stay what they are):
#
# | step | formula | shape |
# |---|---|---|
# | scores | $S = Q K^\top / \sqrt d$ | $(n, m)$ |
# | weights | $W = \operatorname{softmax}(S)$ along the last axis | $(n, m)$ |
# | result | $O = W V$ | $(n, e)$ |
#
# Now backwards. Given is the cotangent $G = \partial L/\partial O$ of shape $(n, e)$; write $\bar X$ for
# $\partial L/\partial X$. The rule for a matrix product $A = BC$ is $\bar B = \bar A C^\top$ and
# $\bar C = B^\top \bar A$; there is only one way to make the shapes fit.
#
# 1. $O = WV$ gives $\bar V = W^\top G$, shapes $(m, n)(n, e) = (m, e)$, and $\bar W = G V^\top$, shapes
#    $(n, e)(e, m) = (n, m)$.
# 2. The softmax works on each row separately, so $\bar S$ is your `softmax_vjp` of the rows:
#    $\bar S = W \odot (\bar W - \operatorname{rowsum}(\bar W \odot W))$, shape $(n, m)$.
# 3. $S = QK^\top/\sqrt d$ gives $\bar Q = \bar S K/\sqrt d$, shapes $(n, m)(m, d) = (n, d)$, and
#    $\bar K = \bar S^\top Q/\sqrt d$, shapes $(m, n)(n, d) = (m, d)$.
#
# Where the mask is `False`, $W = 0$, hence $\bar S = 0$: a masked pair passes no gradient. A fully masked
# query has a zero row in $W$ and therefore $\bar q_i = 0$, and it adds nothing to $\bar K$ and $\bar V$.
#
# **Two masks that everybody needs.** The *causal* mask lets position $i$ see the positions $j \le i$, itself
# included: a model that predicts the next token must not see it. The *padding* mask hides the filling at the
# end of short sequences in a batch. Their combination is `causal_mask(n) & padding_mask(lengths, n)[:, None,
# :]`, of shape `(batch, n, n)`.
# %% [raw]
# # BEGIN SOLUTION
# %%
def attention_vjp(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, grad_out: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the gradients of attention with respect to q, k and v, by hand (no autograd).

    Args:
        q: queries (..., n, d).
        k: keys (..., m, d).
        v: values (..., m, e).
        mask: boolean, broadcasts to (..., n, m), True = may attend; or None.
        grad_out: the cotangent dL/dout (..., n, e).

    Returns:
        (dq, dk, dv) with the shapes and dtypes of q, k and v.

    Source: the three steps above.
    """
    # BEGIN SOLUTION NO PROMPT
    _, weights = attention(q, k, v, mask)  # (..., n, m)
    dv = weights.transpose(-2, -1) @ grad_out  # (..., m, e)
    d_weights = grad_out @ v.transpose(-2, -1)  # (..., n, m)
    d_scores = softmax_vjp(weights, d_weights, -1) / math.sqrt(q.shape[-1])  # (..., n, m)
    dq = d_scores @ k  # (..., n, d)
    dk = d_scores.transpose(-2, -1) @ q  # (..., m, d)
    return dq, dk, dv
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: the three steps backwards
    raise NotImplementedError
    """; # END PROMPT


def causal_mask(n: int) -> torch.Tensor:
    """Return the boolean mask (n, n) in which position i may attend to the positions j <= i."""
    # BEGIN SOLUTION NO PROMPT
    return torch.ones(n, n, dtype=torch.bool).tril()
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: True on and below the diagonal
    raise NotImplementedError
    """; # END PROMPT


def padding_mask(lengths: torch.Tensor | list[int], n: int) -> torch.Tensor:
    """Return the boolean mask (batch, n) that is True at the first `lengths[b]` positions of row b.

    Args:
        lengths: the number of real tokens in each sequence, 0 to n: an integer tensor (batch,) or a list.
        n: the padded length.
    """
    # BEGIN SOLUTION NO PROMPT
    lengths = torch.as_tensor(lengths)
    return torch.arange(n, device=lengths.device) < lengths[:, None]
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: compare positions with lengths
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# The same queries and keys under four masks. Forbidden entries are exactly zero and every row still sums to
# one, so what is left is larger than before. A row without any allowed key is empty.
# %% tags=["otter_ignore"]
generator = torch.Generator().manual_seed(1)
q, k, v = (torch.randn(6, 8, generator=generator) for _ in range(3))
short = padding_mask(torch.tensor([4]), 6)[0]  # (6,): the last two positions are padding
masks = {
    "no mask": None,
    "causal": causal_mask(6),
    "padding: 4 of 6 keys": short,
    "padding, queries too": short & short[:, None],
}
fig, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
for ax, (title, mask) in zip(axes, masks.items(), strict=True):
    heat(ax, attention(q, k, v, mask)[1], title, "query", "key", cmap="Oranges", vmax=1)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q4
# title: Multi-head attention
# points: 4
# names: [MultiHeadAttention]
# forbid: [softmax, attention]
# hints:
#   - >-
#     in_proj_weight stacks the three maps for queries, keys and values on top of each other, so one F.linear
#     and one chunk into three parts along the last axis do all three. A head is a block of neighbouring
#     columns.
#   - >-
#     (batch, n, d_model) becomes heads by view(batch, n, n_heads, d_head).transpose(1, 2), which gives
#     (batch, n_heads, n, d_head). Going back, transpose first and reshape then. A (batch, n, n) mask needs an
#     axis for the heads.
#   - >-
#     Split F.linear(x, in_proj_weight, in_proj_bias) into q, k, v and into heads; if the mask has 3 axes use
#     mask[:, None]; take the weights of attention(q, k, v, mask); out_proj of the merged heads of
#     dropout(weights) @ v, with F.dropout(weights, p, self.training).
# %% [markdown]
# ## 4. Multi-head attention
#
# One set of weights can look at one thing at a time. $h$ *heads* look at $h$ things: each works on its own
# $d_\text{head} = d_\text{model}/h$ features, and a last linear map mixes their results. No loop over heads
# is needed: a head is a **reshape**. Head number $i$ owns the neighbouring columns $i\,d_\text{head}$ to
# $(i+1)\,d_\text{head}-1$ of $Q$, $K$ and $V$, and the axis of the heads moves in front of the positions, to
# where `attention` sees it as one more batch axis:
#
# ```
# (batch, n, d_model) --view--> (batch, n, h, d_head) --transpose(1, 2)--> (batch, h, n, d_head)
# ```
#
# A `view(batch, h, n, d_head)` without the transpose has the same shape and runs without complaint, but it
# mixes positions and features: the right picture below.
# %% tags=["otter_ignore"]
def draw_blocks(ax, blocks, title):
    """Draw blocks of d_head features, each (row, column, position, head); the colour is the head."""
    for row, column, position, head in blocks:
        colour = [BLUE, ORANGE, GREEN][head]
        box = plt.Rectangle((column, row), 0.96, 0.92, color=colour, alpha=0.3 + 0.2 * position, linewidth=0)
        ax.add_patch(box)
        label = f"pos {position}, part {head}"
        ax.text(column + 0.48, row + 0.46, label, ha="center", va="center", fontsize=7)
    ax.set(title=title, xlim=(-0.05, 3), ylim=(4, -0.1), yticks=[0.46, 1.46, 2.46, 3.46], ylabel="row")
    ax.set_yticklabels(range(4))
    ax.set_xticks([0.48, 1.48, 2.48])
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)


order = [(position, part) for position in range(4) for part in range(3)]  # how (n, d_model) lies in memory
fig, axes = plt.subplots(1, 3, figsize=(11, 2.5), layout="constrained")
draw_blocks(axes[0], [(p, h, p, h) for p, h in order], "$Q$: 4 positions, 3 x d_head features")
draw_blocks(axes[1], [(p, h, p, h) for p, h in order], "view + transpose: one head per column")
wrong = [(i % 4, i // 4, p, h) for i, (p, h) in enumerate(order)]
draw_blocks(axes[2], wrong, "wrong: view(h, n, d_head) at once")
axes[0].set_xticklabels(["features 0-3", "features 4-7", "features 8-11"])
for ax in axes[1:]:
    ax.set_xticklabels(["head 0", "head 1", "head 2"])
plt.show()


# %% [markdown]
# **Parameters.** Lay them out as `torch.nn.MultiheadAttention` does, so that trained weights can be loaded:
#
# | name | shape | |
# |---|---|---|
# | `in_proj_weight` | `(3 * d_model, d_model)` | the maps for $Q$, $K$, $V$, stacked in this order |
# | `in_proj_bias` | `(3 * d_model,)` | |
# | `out_proj.weight`, `out_proj.bias` | `(d_model, d_model)`, `(d_model,)` | an `nn.Linear` |
#
# **Dropout** acts on the attention *weights*, after the softmax, and in training mode only: sometimes a
# query just misses a key.
#
# **Masks.** A 2-D mask `(n, n)` is shared by the batch, a 3-D one `(batch, n, n)` has a page for each
# sequence. Neither has an axis for the heads. A query that may see nothing gets zeros from all heads, so its
# output is the bias of `out_proj`.
# %% [raw]
# # BEGIN SOLUTION
# %%
# BEGIN SOLUTION NO PROMPT
def split_heads(x: torch.Tensor, n_heads: int) -> torch.Tensor:
    """Turn (batch, n, d_model) into (batch, n_heads, n, d_head)."""
    batch, n, d_model = x.shape
    return x.view(batch, n, n_heads, d_model // n_heads).transpose(1, 2)


def merge_heads(x: torch.Tensor) -> torch.Tensor:
    """Turn (batch, n_heads, n, d_head) into (batch, n, d_model)."""
    return x.transpose(1, 2).flatten(2)


# END SOLUTION
class MultiHeadAttention(nn.Module):
    """Multi-head self-attention with the parameters of `torch.nn.MultiheadAttention`, batch first.

    Args:
        d_model: number of features, a multiple of `n_heads`.
        n_heads: number of heads.
        dropout: probability with which an attention weight is dropped in training mode.

    Source: Vaswani et al., Attention Is All You Need (2017), section 3.2.2.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        # BEGIN SOLUTION NO PROMPT
        if d_model % n_heads:
            raise ValueError("d_model must be a multiple of n_heads")
        self.n_heads = n_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.in_proj_weight)
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: create in_proj_weight, in_proj_bias and out_proj (and give the parameters sensible values)
        raise NotImplementedError
        """; # END PROMPT

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Attend within each sequence.

        Args:
            x: (batch, n, d_model).
            mask: boolean, (n, n) or (batch, n, n), True = may attend; or None.

        Returns:
            (batch, n, d_model).
        """
        # BEGIN SOLUTION NO PROMPT
        projected = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # (batch, n, 3 * d_model)
        q, k, v = (split_heads(part, self.n_heads) for part in projected.chunk(3, dim=-1))
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]  # (batch, 1, n, n)
        _, weights = attention(q, k, v, mask)
        return self.out_proj(merge_heads(self.dropout(weights) @ v))
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: project, split into heads, attend, merge, project
        raise NotImplementedError
        """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Try it: load the weights of the library's module and compare. Mind the library's mask, which is the
# opposite of ours.
# %% tags=["otter_ignore"]
torch.manual_seed(0)
torch_mha, our_mha = nn.MultiheadAttention(12, 3, batch_first=True), MultiHeadAttention(12, 3)
print(our_mha.load_state_dict(torch_mha.state_dict()))
sample, seen = torch.randn(2, 5, 12), causal_mask(5)
with torch.no_grad():
    difference = our_mha(sample, seen) - torch_mha(sample, sample, sample, attn_mask=~seen)[0]
print(f"largest difference: {difference.abs().max():.1e}")


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q5
# title: Decoding with a cache, and a Transformer block
# points: 4
# names: [decode_step, TransformerBlock]
# hints:
#   - >-
#     Under a causal mask, do the keys and values of old positions change when a new one arrives? What does
#     the new position need from the old ones?
#   - >-
#     Project only x_t. Append its key and value to those in the cache along the axis of time, let the one new
#     query attend to all of them (no mask is needed), and return the grown keys and values as the new cache.
#     In the block, the norms come before the two branches, and the sums after them.
#   - >-
#     q, k, v = split heads of F.linear(x_t, mha.in_proj_weight, mha.in_proj_bias); if the cache is not None,
#     k = torch.cat([cache[0], k], dim=2), the same for v; out, _ = attention(q, k, v); return
#     mha.out_proj(merged out), (k, v). Block: x = x + self.self_attn(self.norm1(x), mask); x = x +
#     self.linear2(relu(self.linear1(self.norm2(x)))).
# %% [markdown]
# ## 5. Decoding with a cache, and a Transformer block
#
# **The KV cache.** A language model writes one token at a time. To write token $t$ it needs the attention of
# position $t$ over the positions $0 \dots t$. Running the whole sequence through the layer again costs
# $O(t^2 d)$ for the scores and $O(t d^2)$ for the projections, at every step. But under a causal mask the
# keys and values of old positions never change again. Keep them, and a step costs only $O(t d + d^2)$:
# project the newcomer, append its key and value to the cache, let its one query look at all of them. It
# needs no mask: there is no future in the cache.
#
# `decode_step` gets the cache that it returned last time (`None` at the start). What a cache *is* is up to
# you: a tuple, a dict, a class of your own. Two sequences decoded in turn have a cache each, so keep nothing
# inside the module.
#
# **The block.** A Transformer layer has two branches: attention moves information between positions, a small
# network works on each position by itself. Each is added to its input, so that gradients have a straight way
# down. The layer norm can stand in two places:
#
# $$ \text{post-norm (2017):}\quad y = \operatorname{LN}\big(x + f(x)\big) \qquad\qquad
#    \text{pre-norm (today):}\quad y = x + f\big(\operatorname{LN}(x)\big) $$
#
# With pre-norm nothing stands in the way of the sum, and Xiong et al. (2020) show that this makes training
# stable without a warm-up of the learning rate (the figure shows it for 12 layers). Yours is pre-norm with a
# ReLU:
#
# $$ a = x + \operatorname{MHA}\big(\operatorname{LN}_1(x)\big), \qquad
#    y = a + W_2 \max\big(0,\, W_1 \operatorname{LN}_2(a) + b_1\big) + b_2. $$
# %% tags=["otter_ignore"]
def deep_stack_losses(pre: bool, lr: float, depth: int = 12, width: int = 32) -> list[float]:
    """Train a stack of the library's layers on the task of question 6, without a warm-up."""
    torch.manual_seed(0)
    digit_vectors, place_vectors = nn.Embedding(10, width), nn.Embedding(8, width)
    settings = {"dropout": 0.0, "batch_first": True, "norm_first": pre}
    torch_layers = [nn.TransformerEncoderLayer(width, 2, 2 * width, **settings) for _ in range(depth)]
    last_norm = nn.LayerNorm(width) if pre else nn.Identity()
    torch_stack = nn.Sequential(*torch_layers, last_norm, nn.Linear(width, 10))
    modules = nn.ModuleList([digit_vectors, place_vectors, torch_stack])
    optimizer, losses = torch.optim.Adam(modules.parameters(), lr), []
    for _ in range(160):
        digits = torch.randint(10, (32, 8))
        scores = torch_stack(digit_vectors(digits) + place_vectors.weight)
        loss = F.cross_entropy(scores.flatten(0, 1), digits.flip(1).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


fig, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), sharey=True, layout="constrained")
for ax, lr in zip(axes, [0.001, 0.01], strict=True):
    for pre, colour, name in [(True, BLUE, "pre-norm"), (False, ORANGE, "post-norm")]:
        ax.plot(deep_stack_losses(pre, lr), color=colour, label=name)
    ax.set(title=f"12 layers learn to reverse, learning rate {lr}", xlabel="step", ylim=(0, 2.6))
axes[0].set_ylabel("cross-entropy")
axes[0].legend(frameon=False, loc="lower left")
plt.show()


# %% [raw]
# # BEGIN SOLUTION
# %%
def decode_step(mha: MultiHeadAttention, x_t: torch.Tensor, cache: object | None) -> tuple[torch.Tensor, object]:
    """Return the causal attention's output for one new position, and the cache for the next call.

    Args:
        mha: your module of question 4, in eval mode.
        x_t: the newest position (batch, 1, d_model).
        cache: None at the start, then whatever the last call returned.

    Returns:
        (y_t, cache) with y_t of shape (batch, 1, d_model). The y_t of all steps together equal the full pass
        `mha(x, causal_mask(n))`.
    """
    # BEGIN SOLUTION NO PROMPT
    projected = F.linear(x_t, mha.in_proj_weight, mha.in_proj_bias)  # (batch, 1, 3 * d_model)
    q, k, v = (split_heads(part, mha.n_heads) for part in projected.chunk(3, dim=-1))
    if cache is not None:
        k = torch.cat([cache[0], k], dim=2)  # (batch, n_heads, t + 1, d_head)
        v = torch.cat([cache[1], v], dim=2)
    out, _ = attention(q, k, v)
    return mha.out_proj(merge_heads(out)), (k, v)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: project x_t, append to the cache, attend with one query
    raise NotImplementedError
    """; # END PROMPT


class TransformerBlock(nn.Module):
    """A pre-norm Transformer layer with ReLU and without dropout.

    Its sub-modules are named as in `torch.nn.TransformerEncoderLayer`: self_attn, linear1, linear2, norm1
    and norm2.

    Args:
        d_model: number of features.
        n_heads: number of heads.
        d_ff: width of the hidden layer.

    Source: Xiong et al., On Layer Normalization in the Transformer Architecture (2020), figure 1b.
    """

    def __init__(self, d_model: int, n_heads: int, d_ff: int) -> None:
        super().__init__()
        # BEGIN SOLUTION NO PROMPT
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: create self_attn, linear1, linear2, norm1, norm2
        raise NotImplementedError
        """; # END PROMPT

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Run the layer on x (batch, n, d_model); `mask` as in `MultiHeadAttention`."""
        # BEGIN SOLUTION NO PROMPT
        x = x + self.self_attn(self.norm1(x), mask)
        return x + self.linear2(torch.relu(self.linear1(self.norm2(x))))
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: two branches, each added to its own input
        raise NotImplementedError
        """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# How much does the cache save? Left: multiplications per step, counted. Right: milliseconds per step,
# measured here. (A `decode_step` that keeps all old inputs and runs the full pass again gives the right
# answer too. You would see it here, not in your marks.)
# %% tags=["otter_ignore"]
d_model, steps = 128, 512
torch.manual_seed(0)
mha = MultiHeadAttention(d_model, 4).eval()
x = torch.randn(1, steps, d_model)
shown = list(range(16, steps + 1, 16))
with_cache, without = [], []
with torch.no_grad():
    cache = None
    for t in range(steps):
        start = time.perf_counter()
        _, cache = decode_step(mha, x[:, t : t + 1], cache)
        with_cache.append(1e3 * (time.perf_counter() - start))
    for t in shown:
        mask, trials = causal_mask(t), []
        for _ in range(3):
            start = time.perf_counter()
            mha(x[:, :t], mask)
            trials.append(1e3 * (time.perf_counter() - start))
        without.append(min(trials))
cached = [min(with_cache[max(0, t - 16) : t]) for t in shown]
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3), layout="constrained")
all_again = [4 * t * d_model**2 + 2 * t * t * d_model for t in shown]
newcomer_only = [4 * d_model**2 + 2 * t * d_model for t in shown]
axes[0].semilogy(shown, all_again, color=ORANGE, label="all again")
axes[0].semilogy(shown, newcomer_only, color=BLUE, label="with a cache")
axes[0].set(title=f"multiplications per step, d_model = {d_model}", xlabel="position $t$")
axes[1].plot(shown, without, color=ORANGE, label="all again")
axes[1].plot(shown, cached, color=BLUE, label="with a cache")
axes[1].set(title="measured milliseconds per step", xlabel="position $t$", ylim=(0, None))
for ax in axes:
    ax.legend(frameon=False)
plt.show()
# %% [raw]
# # END QUESTION
# %% [markdown]
# ## 6. A model that learns to reverse
#
# The task: read 8 random digits, write them in reverse order, all at once. The answer at position $i$ stands
# at position $7 - i$ of the input, so the model must learn *where to look*, and that can be read off its
# weights afterwards. Two things to think about before you start:
#
# - Attention does not know the order of its inputs: permute the sequence, and the results are permuted with
#   it. So the model needs positions (assignment 7): the simplest are a learned vector per position, added to
#   the embedding of the digit.
# - The answer may lie left or right. Is a causal mask of any use here?
#
# The size of the task, the number of steps and the source of data are given.
# %%
VOCAB = 10  # the digits
LENGTH = 8  # digits in a sequence
REVERSE_STEPS = 800  # what the grader passes as `steps`


def reverse_batch(batch: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw random sequences and their reversals, both int64 (batch, LENGTH)."""
    tokens = torch.randint(VOCAB, (batch, LENGTH), generator=generator)
    return tokens, tokens.flip(1)


# %% [raw]
# # BEGIN QUESTION
# name: q6
# title: Learning to reverse
# points: 2
# names: [train_reverse]
# hints:
#   - >-
#     Digits become vectors (nn.Embedding), positions become vectors (another nn.Embedding or an
#     nn.Parameter), their sum goes through one of your blocks, and a linear map gives 10 logits per position.
#     Without positions the model cannot know what "reverse" means.
#   - >-
#     Vectors for positions of the same size as those for digits (the default of nn.Embedding) learn five times
#     faster than tiny ones. Adam with a learning rate of 3e-3, 32 features and batches of 64 are plenty. Use
#     no mask. Seed everything, the model's weights too.
#   - >-
#     torch.manual_seed(seed), build the model, then for each step: tokens, targets = reverse_batch(64,
#     generator); loss = F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten()); zero_grad, backward,
#     step. Return the model.
# %% [markdown]
# `train_reverse(seed, steps)` builds a model, trains it for `steps` steps and returns it. The same seed
# gives the same model. The grader trains it for `REVERSE_STEPS` steps and feeds it fresh sequences. Keep it
# small: the reference needs about 2 seconds on one core, and **6 seconds** is the budget. There are marks
# for more than 70 % of the digits (a causal mask gets stuck at 55 %, no positions at 32 %), and for more
# than 97 %.
# %% [raw]
# # BEGIN SOLUTION
# %%
# BEGIN SOLUTION NO PROMPT
class Reverser(nn.Module):
    """Embeddings of digits and positions, one Transformer block, logits."""

    def __init__(self, d_model: int = 32, n_heads: int = 2, d_ff: int = 64) -> None:
        super().__init__()
        self.digits = nn.Embedding(VOCAB, d_model)
        self.positions = nn.Embedding(LENGTH, d_model)
        self.block = TransformerBlock(d_model, n_heads, d_ff)
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, VOCAB)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return digits plus positions, (batch, n, d_model)."""
        return self.digits(tokens) + self.positions.weight[: tokens.shape[1]]

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Turn tokens (batch, n) into logits (batch, n, VOCAB)."""
        return self.head(self.norm(self.block(self.embed(tokens))))


# END SOLUTION
def train_reverse(seed: int, steps: int) -> nn.Module:
    """Train a small model to reverse sequences of LENGTH digits, and return it.

    Args:
        seed: decides everything that is random (initial weights and data).
        steps: number of optimiser steps; with 0 the model comes back untrained.

    Returns:
        A module whose `forward(tokens)` turns int64 tokens (batch, LENGTH) into logits
        (batch, LENGTH, VOCAB).
    """
    # BEGIN SOLUTION NO PROMPT
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = Reverser()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(steps):
        tokens, targets = reverse_batch(64, generator)
        loss = F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: a model with positions, a loop over batches, cross-entropy
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Look at your model: how fast it learns, and where its queries look. The second figure records what
# your `attention` returns while the model runs, so it works with your own architecture too.
# %% tags=["otter_ignore"]
test_tokens, test_targets = reverse_batch(500, torch.Generator().manual_seed(123))


def accuracy_of(model: nn.Module) -> float:
    """The fraction of digits of fresh sequences that the model reverses properly."""
    with torch.no_grad():
        return float((model.eval()(test_tokens).argmax(-1) == test_targets).float().mean())


marks = [0, 10, 20, 30, 40, 50, 60, 80, 100, 150]
start = time.perf_counter()
curves = {seed: [accuracy_of(train_reverse(seed, mark)) for mark in marks] for seed in (0, 1, 2)}
print(f"{sum(marks) * 3} steps took {time.perf_counter() - start:.1f} s")
fig, ax = plt.subplots(figsize=(6.5, 2.9), layout="constrained")
for (seed, curve), colour in zip(curves.items(), [BLUE, ORANGE, GREEN], strict=True):
    ax.plot(marks, curve, "o-", color=colour, markersize=3, label=f"seed {seed}")
ax.axhline(0.1, color=GREY, linestyle=":", label="guessing")
ax.set(title="digits reversed properly", xlabel="steps of training", ylabel="accuracy", ylim=(0, 1.03))
ax.legend(frameon=False)
plt.show()
# %% tags=["otter_ignore"]
model = train_reverse(0, REVERSE_STEPS).eval()
print(f"accuracy after {REVERSE_STEPS} steps: {accuracy_of(model):.4f}")
recorded, plain_attention = [], attention


def recording_attention(*args, **kwargs):
    """Call `attention` and remember its weights."""
    result = plain_attention(*args, **kwargs)
    recorded.append(result[1])
    return result


globals()["attention"] = recording_attention
try:
    with torch.no_grad():
        model(test_tokens)
finally:
    globals()["attention"] = plain_attention
# One call for all heads gives (batch, n_heads, n, n); a loop over the heads gives (batch, n, n) for each.
maps = (recorded[0] if recorded[0].ndim == 4 else torch.stack(recorded, 1)).mean(0)
fig, axes = plt.subplots(1, len(maps), figsize=(3.6 * len(maps), 3.4), layout="constrained", squeeze=False)
for head, ax in enumerate(axes[0]):
    title = f"head {head}: mean weights"
    heat(ax, maps[head], title, "position that asks", "position looked at", cmap="Oranges", vmax=1)
plt.show()
# %% [markdown]
# The weights lie on the **anti-diagonal**: position 0 looks at position 7, position 1 at position 6, and so
# on. Nobody told the model; the loss did.
# %% [raw]
# # END QUESTION
# %% [markdown]
# ## Further reading
#
# - A. Vaswani et al., *Attention Is All You Need*, 2017.
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762). Section 3.2 is this notebook; footnote 4 is the
#   argument for $\sqrt d$.
# - D. Bahdanau, K. Cho, Y. Bengio, *Neural Machine Translation by Jointly Learning to Align and Translate*,
#   2015. [arXiv:1409.0473](https://arxiv.org/abs/1409.0473). Where attention began; look at the alignment
#   figures.
# - R. Xiong et al., *On Layer Normalization in the Transformer Architecture*, 2020.
#   [arXiv:2002.04745](https://arxiv.org/abs/2002.04745). Pre-norm against post-norm.
# - T. Dao et al., *FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness*, 2022.
#   [arXiv:2205.14135](https://arxiv.org/abs/2205.14135). The same result without ever storing $W$; its
#   backward pass is your question 3.
# - N. Shazeer, *Fast Transformer Decoding: One Write-Head is All You Need*, 2019.
#   [arXiv:1911.02150](https://arxiv.org/abs/1911.02150). What the cache costs, and how to make it smaller.
