# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [raw]
# # ASSIGNMENT CONFIG
# slug: a7_positional_encoding
# title: Positional encoding
# limits: {call_seconds: 10, question_seconds: 30, total_seconds: 60}
# %% [markdown]
# # Positional encoding
#
# **What you will be able to do**
#
# - read a position off a set of hands that turn at different speeds, as you read the time off a clock;
# - compute the sinusoidal table of the Transformer so that it is still right at position 100,000;
# - show that a step of $k$ positions is a rotation, and that dot products see distances only;
# - learn positions as parameters, and add them with inverted dropout;
# - rotate queries and keys (RoPE) so that attention scores depend on relative positions;
# - bias attention scores by distance (ALiBi), with the slopes of the paper for any number of heads.
#
# **What is given.** You write PyTorch, tensors are float32 unless said otherwise, and nothing is forbidden.
# Plan for 1 to 3 hours.
#
# ## The idea
#
# Attention compares each word with every other word and mixes them. It never asks *where* a word stands:
# permute the words, and the results are permuted with them. "Dog bites man" and "man bites dog" are the
# same to it. A *positional encoding* gives each position $t$ a vector $\mathrm{PE}[t]$ that says where it is:
#
# $$ x_t' \;=\; x_t + \mathrm{PE}[t]. $$
#
# Which vectors are good? Each position needs its own. Their entries should stay small, however long the
# text. And since language cares about distances ("the word before this one"), a step from $t$ to $t + k$
# should look the same everywhere. This notebook goes from a clock, which has all three properties, to the
# encodings inside today's language models.
# %%
from __future__ import annotations

import base64
import math
import time
import zlib
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.transforms import Affine2D
from torch import nn

torch.set_num_threads(1)
# %%
import deepmarks

grader = deepmarks.Notebook("a7_positional_encoding")
# %% [markdown]
# The figure shows it. Attention mixes three word vectors, once for each order of the sentence. Without
# positions every word gets the same result in both sentences: the difference is zero. Add a vector for
# each position (any vectors will do), and the two sentences differ.
# %% tags=["otter_ignore"]
plt.rcParams.update({"figure.dpi": 110, "font.size": 9, "axes.titlesize": 10, "axes.spines.top": False})
plt.rcParams.update({"axes.spines.right": False, "image.interpolation": "nearest"})
BLUE, ORANGE, GREEN, GREY = "#1f5f99", "#d9731a", "#2e8b57", "#777777"
HANDS = [BLUE, ORANGE, GREEN, "#8e4a9e"]


def heat(ax, values, title="", rows="", columns="", cmap="RdBu", vmin=-1.0, vmax=1.0, numbers=False, aspect="auto"):
    """Draw a matrix as a heat map, with its numbers if asked for; returns the image for a colour bar."""
    values = torch.as_tensor(values).detach()
    image = ax.imshow(values, cmap=cmap, vmin=vmin, vmax=vmax, aspect=aspect)
    ax.set(title=title, xlabel=columns, ylabel=rows)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if numbers:
        ax.set(xticks=range(values.shape[1]), yticks=range(values.shape[0]))
        for i, row in enumerate(values.tolist()):
            for j, value in enumerate(row):
                strong = math.isfinite(value) and abs(value) > 0.6 * max(abs(vmin), abs(vmax))
                text = f"{round(value, 2) + 0.0:g}" if math.isfinite(value) else r"$-\infty$"
                ax.text(j, i, text, ha="center", va="center", fontsize=7, color="white" if strong else "black")
    return image


def mix(x):
    """Attention in its simplest form: words look at similar words."""
    return torch.softmax(2 * x @ x.T, -1) @ x


words = ["dog", "bites", "man"]
generator = torch.Generator().manual_seed(3)
vectors, places = 0.8 * torch.randn(2, 3, 6, generator=generator)
fig, axes = plt.subplots(2, 3, figsize=(9, 3.4), sharex=True, sharey=True, layout="constrained")
for row, positions in zip(axes, [torch.zeros(3, 6), places], strict=True):
    first = mix(vectors + positions)
    second = mix(vectors.flip(0) + positions).flip(0)  # "man bites dog", shown in the order of the words
    for ax, values in zip(row, [first, second, first - second], strict=True):
        image = heat(ax, values, vmin=-1.5, vmax=1.5)
        ax.set(yticks=range(3), yticklabels=words, xticks=[])
for ax, title in zip(axes[0], ['results in "dog bites man"', 'results in "man bites dog"', "difference"], strict=True):
    ax.set_title(title)
axes[0, 0].set_ylabel("without\npositions")
axes[1, 0].set_ylabel("with\npositions")
fig.colorbar(image, ax=axes, shrink=0.8)
plt.show()


# %% [raw]
# # BEGIN QUESTION
# name: q1
# title: The digits of a clock
# points: 2
# names: [clock_encoding]
# hints:
#   - >-
#     How do you turn 3,661 seconds into hours, minutes and seconds on paper? Which digit do you know first, and
#     what is left over for the next one?
#   - >-
#     The fastest digit is the remainder of t divided by its base. The quotient is how often that digit has gone
#     round: it takes the place of t for the next base. Stay with whole numbers (// and %): a float has 53 bits.
#   - >-
#     digits = []; for base in bases: t, digit = divmod(t, base); digits.append(digit). Return digits.
# %% [markdown]
# ## 1. The digits of a clock
#
# A clock counts seconds. It could show $t = 45\,296$ as one large number. It shows 12:34:56 instead: a few
# small digits, each of which turns more slowly than the one before. Written fastest digit first, with the
# bases $b_0 = 60$ (seconds), $b_1 = 60$ (minutes) and $b_2 = 24$ (hours):
#
# $$ d_i \;=\; \left\lfloor \frac{t}{b_0 \, b_1 \cdots b_{i-1}} \right\rfloor \bmod b_i ,
#    \qquad 45\,296 \;\to\; (56,\, 34,\, 12). $$
#
# Digit $i$ moves on by one when all faster digits have gone round once, and it starts again from zero after
# $b_i$ moves. *Every* digit does so, also the slowest: after 24 hours the clock shows 0 again. Binary
# numbers are the same thing with all bases 2.
#
# This is a positional encoding already. Each position has its own pattern (until the slowest digit has gone
# round), and the digits stay small.
# %% [raw]
# # BEGIN SOLUTION
# %%
def clock_encoding(t: int, bases: Sequence[int]) -> list[int]:
    """Return the digits of `t` in a mixed radix, as a clock shows them.

    Args:
        t: the position, a whole number >= 0 of any size.
        bases: the bases, fastest digit first, each >= 1; (60, 60, 24) for seconds, minutes and hours.

    Returns:
        A list of ints, one digit for each base, fastest digit first; every digit lies in 0 .. base - 1.

    Source: Knuth, The Art of Computer Programming, volume 2, section 4.1 (mixed radix).
    """
    # BEGIN SOLUTION NO PROMPT
    digits = []
    for base in bases:
        t, digit = divmod(t, base)
        digits.append(digit)
    return digits
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: the remainder is the digit, the quotient goes on to the next base
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Left: your digits as the dials of a clock. Middle: the pattern of each position in binary; read a column
# from top to bottom. Right: three rounds of each of your digits (lines) on top of what Python's own clock says
# (circles).
# %% tags=["otter_ignore"]
def dial(ax, digit, base, title, colour):
    """Draw one digit as the hand of a dial."""
    for k in range(base):
        a = 2 * math.pi * k / base
        ax.plot([0.93 * math.sin(a), math.sin(a)], [0.93 * math.cos(a), math.cos(a)], color=GREY, lw=0.8)
    a = 2 * math.pi * digit / base
    ax.add_patch(plt.Circle((0, 0), 1.03, fill=False, color=GREY, lw=0.8))
    ax.annotate("", (0.88 * math.sin(a), 0.88 * math.cos(a)), (0, 0), arrowprops={"color": colour, "width": 2,
                "headwidth": 7, "headlength": 8})  # fmt: skip
    ax.text(0, -1.35, f"{title}: {digit}", ha="center", va="center", color=colour)
    ax.set(xlim=(-1.15, 1.15), ylim=(-1.6, 1.15), aspect="equal")
    ax.axis("off")


fig = plt.figure(figsize=(11.5, 3.1), layout="constrained")
left, middle, right = fig.subfigures(1, 3, width_ratios=[1.15, 1, 1.15])
left.suptitle("t = 45,296 on a clock", fontsize=10)
digits = clock_encoding(45296, [60, 60, 24])
names = ["seconds", "minutes", "hours"]
for ax, digit, base, name, colour in zip(left.subplots(1, 3), digits, [60, 60, 24], names, HANDS, strict=False):
    dial(ax, digit, base, name, colour)
ax = middle.subplots()
binary = torch.tensor([clock_encoding(t, [2] * 5) for t in range(32)]).T
heat(ax, binary, "your digits in base 2", "digit (fastest on top)", "position $t$", cmap="Blues", vmin=0)
ax.set(yticks=range(5))
axes = right.subplots(3, 1)
right.suptitle("yours (line), Python's own (circles)", fontsize=10)
windows = [(60, 3, "seconds, for 3 minutes"), (3600, 180, "minutes, for 3 hours"), (86400, 4320, "hours, for 3 days")]
for k, (ax, (turn, step, title)) in enumerate(zip(axes, windows, strict=True)):
    times = range(0, 3 * turn, step)
    ax.plot([t / turn for t in times], [clock_encoding(t, [60, 60, 24])[k] for t in times], color=HANDS[k], lw=1)
    ax.plot([t / turn for t in times], [time.gmtime(t)[5 - k] for t in times], "o", mfc="none", color=GREY, ms=3)
    ax.set(xticks=[])
    ax.set_title(title, fontsize=8, loc="left", pad=2)
plt.show()
# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q2
# title: The sinusoidal table
# points: 4
# names: [sinusoidal]
# hints:
#   - >-
#     First write the table of angles: one row for each position, one column for each pair. Then ask how many sine
#     columns and how many cosine columns there are when d_model is odd.
#   - >-
#     torch.arange(0, d_model, 2) is 2i for all pairs. Sines go to pe[:, 0::2], cosines to pe[:, 1::2]; for odd
#     d_model there is one cosine fewer. Compute everything in float64 and convert the finished table to float32.
#   - >-
#     position = torch.arange(max_len, dtype=torch.float64)[:, None]; frequency = base ** (-torch.arange(0, d_model,
#     2, dtype=torch.float64) / d_model); angle = position * frequency; pe = torch.empty(max_len, d_model,
#     dtype=torch.float64); pe[:, 0::2] = angle.sin(); pe[:, 1::2] = angle[:, : d_model // 2].cos(); return
#     pe.float().
# %% [markdown]
# ## 2. The sinusoidal table
#
# The digits of a clock jump: from 59 to 60 seconds the digits change from (59, 0) to (0, 1), although hardly
# any time has passed. A network prefers what changes smoothly. So look at the *hands* instead of the digits:
# let hand $i$ turn evenly, by $\omega_i$ at each step. The tip of a hand has two coordinates, the sine and the
# cosine of its angle. One of them is not enough: a sine takes each value twice in a turn. Both together say
# exactly where the hand stands.
#
# The Transformer has $d/2$ hands. Their speeds form a geometric sequence, like the digits of a number system:
#
# $$ \mathrm{PE}[t,\, 2i] = \sin(\omega_i\, t), \qquad
#    \mathrm{PE}[t,\, 2i + 1] = \cos(\omega_i\, t), \qquad
#    \omega_i = \text{base}^{-2i/d}, \qquad i = 0, 1, \dots $$
#
# The fastest hand ($i = 0$) turns by one radian at each step and goes round in $2\pi$ positions. The slowest
# needs nearly $10\,000 \cdot 2\pi$. Mind three details: sine and cosine *alternate* along a row; both of a pair
# have the *same* frequency; and for odd $d$ the last column is a sine, whose cosine is left out.
# %% tags=["otter_ignore"]
t = torch.linspace(0, 24, 600)
fig, axes = plt.subplots(1, 3, figsize=(11, 2.9), layout="constrained")
for k, period in enumerate([8.0, 32.0]):
    digit = torch.floor(t / (period / 8)) % 8
    hand = 0.5 + 0.45 * torch.sin(2 * math.pi * t / period)
    axes[0].plot(t, digit / 8 + 1.2 * (1 - k), color=HANDS[k])
    axes[1].plot(t, hand + 1.2 * (1 - k), color=HANDS[k], label="sine" if k else None)
    shifted = 0.5 + 0.45 * torch.cos(2 * math.pi * t / period)
    axes[1].plot(t, shifted + 1.2 * (1 - k), color=HANDS[k], ls="--", label="cosine" if k else None)
axes[0].set(title="digits jump", xlabel="position $t$", yticks=[0.5, 1.7], yticklabels=["slow", "fast"])
axes[1].set(title="hands turn smoothly", xlabel="position $t$", yticks=[0.5, 1.7], yticklabels=["slow", "fast"])
axes[1].set_ylim(-0.4, 2.3)
axes[1].legend(frameon=False, ncols=2, fontsize=8, loc="lower center")
angle = torch.linspace(0, 2 * math.pi, 200)
axes[2].plot(angle.cos(), angle.sin(), color=GREY, lw=0.8)
axes[2].axhline(0.6, color=ORANGE, lw=0.8, ls=":")
for x, text in [(0.8, "A"), (-0.8, "B")]:
    axes[2].annotate("", (x, 0.6), (0, 0), arrowprops={"arrowstyle": "->", "color": ORANGE, "lw": 1.5})
    axes[2].text(1.18 * x, 0.66, text, ha="center", color=ORANGE)
axes[2].text(0, -0.35, "A and B: same sine (0.6),\nother cosine", ha="center", va="center", fontsize=8)
axes[2].set(title="a hand needs both", xlabel="cosine", ylabel="sine", aspect="equal", xlim=(-1.3, 1.3))
plt.show()


# %% [markdown]
# **Precision.** The entries lie between -1 and 1, so float32 can hold them to $6 \cdot 10^{-8}$. The *angles*
# are another matter: float32 has 24 bits, and near $100\,000$ its neighbouring numbers are $2^{-7} \approx
# 0.008$ apart. A frequency rounded to float32, times $100\,000$, is as wrong as that, and so is its sine. Long
# texts are where it hurts. So compute angles, sines and cosines in float64, and convert at the very end: the
# table is to be exact to $10^{-6}$ at position $10^5$.
# %% [raw]
# # BEGIN SOLUTION
# %%
def sinusoidal(max_len: int, d_model: int, base: float = 10000.0) -> torch.Tensor:
    """Return the sinusoidal positional encoding of the positions 0 .. max_len - 1.

    Args:
        max_len: number of positions.
        d_model: number of columns, even or odd.
        base: the slowest hand's wavelength approaches 2 pi * base.

    Returns:
        float32 tensor (max_len, d_model). Column 2i is sin(t * base^(-2i / d_model)), column 2i + 1 is the cosine
        of the same angle; for odd d_model the last column is a sine. Exact to 1e-6 at position 100,000.

    Source: Vaswani et al., Attention Is All You Need (2017), section 3.5.
    """
    # BEGIN SOLUTION NO PROMPT
    position = torch.arange(max_len, dtype=torch.float64)
    exponent = torch.arange(0, d_model, 2, dtype=torch.float64) / d_model  # 2i / d_model
    angle = position[:, None] * base**-exponent  # (max_len, ceil(d_model / 2))
    pe = torch.empty(max_len, d_model, dtype=torch.float64)
    pe[:, 0::2] = angle.sin()
    pe[:, 1::2] = angle[:, : d_model // 2].cos()
    return pe.float()
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: angles (max_len, pairs) in float64, sines and cosines interleaved, float32 at the end
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Your table beside the right one (a stored picture, rounded to 1/127), and their difference, which should be
# blank. Look at the pattern: the left columns flicker, the right ones hardly move.
# %% tags=["otter_ignore"]
RIGHT_TABLE = (
    "c-mvAXTS=xT?3LWi_|NnYlQ1~>p1J#>RIZU>zV3{PuEDL`FN+97OPfC)(F<|)N$0a0_B973Xj!_r+fLNniZ>6O4SH~W!UN$tTpbbx>Ko^5bT"
    "y^SgKSdUMo<?UC&<MrgFbEc4htl0-Mk{+kCAG*&2~rKA=5!t7dM~>8!Y3rJNM#k!e(_TqOb45uDJ-{;4T#OFc)fQ&6H+p=N~)*kyI^7KQGf>"
    "N%tCZK+{&gj23wnL@Q#Eq|R!&)d4m`&HY^E>+7X`+H`Xl&Anr60F-j)giC(``^Z_U3I+3er#kc*X=gE))Be1{#T(@c&uH%cDY=&NbR2NiW_S"
    "aHqUmRQv0GzFE-pcM;~m1X|c=Hht<<}XmwOvt5Qk|@W?bS0lBqK@Kcj?P1_xTrh=ojVi}&k(C`ReuylDqawE&vru41#oH<T`KtE^z{cyXj=}"
    "U=er}nM(sO9y43a!K9fHqgi)wJE6=2riEj^DvaKC|mSlo&@vI_Bz@%U3T9xmB5ecxUG7MYa=b9#?3`g}P)LlqpsV*Xfse%(#aVdd9%eD>2Ep"
    "6KZ0u?>;Bhf*f~QyJ}zG=+G%|e!<b0cc4xv)7>w{0vHzm8$%W>TjrnK$o#bt*`-tWur{{e$Z~6yf7}wkx}G85HYDDrK&ztHY|E@Bp=!lGi;G"
    "=hi|T(AS%k;f=joKcuWNlc!?XV9T>k@;d}h_XhxkCRJTa)(>~KNZr47j&=Q>WVd0ws?8wLu~%G)Q3{?sRJI9|ATrCD#)y-E#eifNOrF)enT`"
    "T!W#+DKu&W?_n7a)3hXpZdNNa;>H3YGhJ<z0yrennmjW)kyzn6t8W+iJT_SmL#sLesHnNu(bI#Yh&*II>AhLf1r=uvLu=l)~=uDnbG*~XJf|"
    "pdhQ(Oz$DAU`hQ0z7<5nB8ynUn_@+5|Lp^JrLvVt1f%BB^^WPg=ALco<DL-h9T?I|S1*dx3l=n|=<g8ThF}d6szNG$VktHY<HGSBTF?COuK^"
    "@Oj*Asn#^Xfhqn?^=E<gH8Os&D!{KdA2Gf{?vayk-K^uTgZQQ?6QNcuc46zMP8d>k>E3L8Q7Wr8>b?v5#wV_U+ACxx{)x^`i={_)ynu0Af^|"
    "-v"
)
stored = zlib.decompress(base64.b85decode(RIGHT_TABLE))
right_table = torch.frombuffer(bytearray(stored), dtype=torch.int8).view(40, 24) / 127
table = sinusoidal(40, 24, base=100.0)
fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
image = heat(axes[0], table, "yours: sinusoidal(40, 24, base=100)", "position $t$", "column")
heat(axes[1], right_table, "the right one", columns="column")
difference = torch.where((table - right_table).abs() < 0.005, 0.0, table - right_table)
heat(axes[2], difference, "difference", columns="column")
fig.colorbar(image, ax=axes, shrink=0.9)
plt.show()
# %% [markdown]
# Left: three pairs of columns as curves. Right: the error of your table at far positions, in a column that
# turns by 0.8 at each step, beside what float32 angles would give.
# %% tags=["otter_ignore"]
table = sinusoidal(100_001, 4, base=1.5625)  # 1.5625 ** -0.5 is 0.8
fig, axes = plt.subplots(1, 2, figsize=(11, 3), width_ratios=[1.3, 1], layout="constrained")
small = sinusoidal(61, 24, base=100.0)
for k, column in enumerate([0, 8, 16]):
    axes[0].plot(small[:, column] - 2.4 * k, color=HANDS[k], label=f"column {column}")
    axes[0].plot(small[:, column + 1] - 2.4 * k, color=HANDS[k], ls="--", label=f"column {column + 1}")
axes[0].set(title="three hands: sine (solid) and cosine (dashed)", xlabel="position $t$", yticks=[])
axes[0].legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
far = [int(10 ** (k / 12)) for k in range(61)]
exact = torch.tensor([math.sin(0.8 * t) for t in far], dtype=torch.float64)
coarse = torch.sin(torch.tensor(far, dtype=torch.float32) * torch.tensor(0.8, dtype=torch.float32))
for values, colour, name in [(coarse, ORANGE, "angles in float32"), (table[far, 2], BLUE, "your table")]:
    axes[1].loglog(far, (values.double() - exact).abs() + 1e-12, ".", color=colour, label=name)
axes[1].axhline(1e-6, color=GREY, ls=":", lw=1)
axes[1].text(1, 1.3e-6, "what is asked for", fontsize=7, color=GREY)
axes[1].set(title="error of column 2", xlabel="position $t$", ylabel="absolute error", ylim=(1e-10, 1))
axes[1].legend(frameon=False, loc="upper left")
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q3
# title: A step is a rotation
# points: 4
# names: [shift_matrix, relative_dot]
# hints:
#   - >-
#     Take one pair of columns. Write sin(w (t + k)) and cos(w (t + k)) with the addition theorems. What multiplies
#     sin(w t), what multiplies cos(w t), and does t still appear in them?
#   - >-
#     Each pair gives a block of 2 x 2 on the diagonal, and everything else is zero. The first row of the block makes
#     the new sine. relative_dot needs no formula at all: it is one matrix times one of its rows.
#   - >-
#     angle = k * base ** (-torch.arange(0, d_model, 2) / d_model) in float64; i = torch.arange(0, d_model, 2); M[i, i]
#     = M[i + 1, i + 1] = cos(angle); M[i, i + 1] = sin(angle); M[i + 1, i] = -sin(angle). relative_dot returns pe @
#     pe[0].
# %% [markdown]
# ## 3. A step is a rotation
#
# Move on by $k$ positions. Every hand turns on by the same angle, wherever it stood. The addition theorems say
# it for pair $i$:
#
# $$ \begin{aligned}
#    \sin(\omega_i (t + k)) &= \cos(\omega_i k)\, \sin(\omega_i t) + \sin(\omega_i k)\, \cos(\omega_i t) \\
#    \cos(\omega_i (t + k)) &= \;?
#    \end{aligned} $$
#
# (Fill in the second line.) Both are linear in the old pair, with coefficients that know $k$ but not $t$. So
# there is one matrix $M_k$, made of $2 \times 2$ blocks on the diagonal, with
#
# $$ \mathrm{PE}[t + k] = M_k \, \mathrm{PE}[t] \qquad \text{for every } t. $$
#
# It is a rotation: $M_k^\top M_k = I$, $M_k M_l = M_{k + l}$, and $M_{-k} = M_k^\top$ goes back. This is why the
# authors chose sinusoids: a linear layer can learn to look $k$ places back.
#
# **Dot products.** Rotations keep angles and lengths. With $\cos a \cos b + \sin a \sin b = \cos(a - b)$:
#
# $$ \mathrm{PE}[t] \cdot \mathrm{PE}[t + k]
#    = \sum_i \big( \sin \omega_i t \, \sin \omega_i (t + k) + \cos \omega_i t \, \cos \omega_i (t + k) \big)
#    = \sum_i \cos(\omega_i k). $$
#
# The sum depends on the distance $k$ alone, is the same for $k$ and $-k$, and is largest, $d/2$, at $k = 0$,
# where all cosines agree. Farther away they disagree more and more, and the sum decays.
# %% [raw]
# # BEGIN SOLUTION
# %%
def shift_matrix(k: int, d_model: int, base: float = 10000.0) -> torch.Tensor:
    """Return the matrix M with PE[t + k] = M @ PE[t] for every t, where PE is the sinusoidal table.

    Args:
        k: the step; negative steps go back.
        d_model: number of columns of the table; even.
        base: as in `sinusoidal`.

    Returns:
        float32 tensor (d_model, d_model): a rotation in each pair of columns (2i, 2i + 1), zero elsewhere.

    Raises:
        ValueError: if d_model is odd; the last sine has no cosine to turn with.

    Source: Vaswani et al., Attention Is All You Need (2017), section 3.5.
    """
    # BEGIN SOLUTION NO PROMPT
    if d_model % 2:
        raise ValueError(f"d_model must be even, not {d_model}")
    even = torch.arange(0, d_model, 2)
    angle = k * base ** (-even.double() / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[even, even] = matrix[even + 1, even + 1] = angle.cos().float()
    matrix[even, even + 1] = angle.sin().float()
    matrix[even + 1, even] = -angle.sin().float()
    return matrix
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: a block of 2 x 2 for each pair; mind which sine has the minus sign
    raise NotImplementedError
    """; # END PROMPT


def relative_dot(pe: torch.Tensor) -> torch.Tensor:
    """Return the dot products of the first row of a table with all rows.

    Args:
        pe: a table of positions (n, d).

    Returns:
        A tensor (n,) in the dtype of `pe`: entry k is PE[0] . PE[k]. For a sinusoidal table with even d this equals
        PE[t] . PE[t + k] for every t.
    """
    # BEGIN SOLUTION NO PROMPT
    return pe @ pe[0]
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: entry k is the dot product of row 0 and row k
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# The matrix for $k = 3$, and four pairs of the table as hands. Thin hands: $\mathrm{PE}[t]$. Thick hands: your
# $M_3\, \mathrm{PE}[t]$. Rings: $\mathrm{PE}[t + 3]$, where the thick hands must point. (Sine to the right,
# cosine up, so the hands turn like those of a clock.)
# %% tags=["otter_ignore"]
table = sinusoidal(200, 8, base=50.0)
t, k = 5, 3
moved = shift_matrix(k, 8, base=50.0) @ table[t]
fig, axes = plt.subplots(1, 5, figsize=(12, 2.6), width_ratios=[1.35, 1, 1, 1, 1], layout="constrained")
heat(axes[0], shift_matrix(k, 8, base=50.0), "your shift_matrix(3, 8)", "new", "old", numbers=True)
for i, ax in enumerate(axes[1:]):
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color=GREY, lw=0.8))
    for pair, width in [(table[t, 2 * i : 2 * i + 2], 0.7), (moved[2 * i : 2 * i + 2], 2.2)]:
        ax.annotate("", pair.tolist(), (0, 0), arrowprops={"arrowstyle": "-|>", "color": HANDS[i], "lw": width})
    ax.plot(*table[t + k, 2 * i : 2 * i + 2].tolist(), "o", mfc="none", color="black", ms=9)
    ax.set(title=f"pair {i}: turns by {k * 50 ** (-2 * i / 8):.2f}", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect="equal")
    ax.axis("off")
plt.show()
# %% [markdown]
# Left: all dot products of a table. They are constant along the diagonals: only the distance counts. Middle:
# your `relative_dot` (line) on the products at another place, $\mathrm{PE}[100] \cdot \mathrm{PE}[100 + k]$
# (circles). Right: the decay for three sizes, with the first value scaled to 1.
# %% tags=["otter_ignore"]
table = sinusoidal(200, 64)
fig, axes = plt.subplots(1, 3, figsize=(11.5, 3.1), layout="constrained")
image = heat(axes[0], table @ table.T, r"$\mathrm{PE}[s] \cdot \mathrm{PE}[t]$, d = 64", "$s$", "$t$", cmap="Blues",
             vmin=0, vmax=32, aspect="equal")  # fmt: skip
fig.colorbar(image, ax=axes[0])
axes[1].plot(relative_dot(table)[:91], color=BLUE, label="your relative_dot")
axes[1].plot(range(0, 91, 3), table[100:191:3] @ table[100], "o", mfc="none", ms=4, color=GREY, label="at t = 100")
axes[1].set(title="distance only", xlabel="distance $k$", ylabel="dot product", ylim=(0, 33))
axes[1].legend(frameon=False)
for d, colour in [(16, GREEN), (64, BLUE), (512, ORANGE)]:
    dots = relative_dot(sinusoidal(400, d))
    axes[2].semilogx(range(1, 400), dots[1:] / dots[0], color=colour, lw=0.8, label=f"d = {d}")
axes[2].set(title="the decay", xlabel="distance $k$", ylabel="relative to $k = 0$")
axes[2].legend(frameon=False)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q4
# title: Learned positions, and dropout
# points: 3
# names: [LearnedPositionalEncoding, add_positions]
# hints:
#   - >-
#     What makes a tensor known to optimisers and to state_dict? Which axis of x counts positions if x may have any
#     number of leading axes? What must happen to the entries that survive dropout so that the mean stays the same?
#   - >-
#     self.weight = nn.Parameter(...) of shape (max_len, d_model). n = x.shape[-2]; compare it with max_len, then add
#     weight[:n], which broadcasts over the leading axes. Dropout acts on the sum, entry by entry, and divides by 1 - p.
#   - >-
#     y = x + pe[: x.shape[-2]]; if not training: return y; keep = torch.rand_like(y) >= p; return
#     torch.where(keep, y / (1 - p), 0.0). (torch.nn.functional.dropout(y, p, training) does the same.)
# %% [markdown]
# ## 4. Learned positions, and dropout
#
# One can also leave it to the training what a position looks like: make the table a *parameter*, as the network
# of Gehring et al. (2017), BERT and GPT-2 do. The price: a row that never occurs in training is never trained,
# and beyond `max_len` there is nothing at all. That deserves a clear error, so a longer sequence raises
# `ValueError`. The gradient of row $t$ collects from everything that stood at position $t$:
#
# $$ y_{b,t} = x_{b,t} + W_t \qquad\Longrightarrow\qquad
#    \frac{\partial L}{\partial W_t} = \sum_b \frac{\partial L}{\partial y_{b,t}} \;\; (t < n), \qquad
#    \frac{\partial L}{\partial W_t} = 0 \;\; (t \ge n). $$
#
# **Inverted dropout.** The Transformer drops entries of the *sum* of embedding and position. In training each
# entry becomes zero with probability $p$, independently of all others. The survivors are divided by $1 - p$, so
# that the expected value stays what it was:
#
# $$ \mathbb{E}[y'] = p \cdot 0 + (1 - p) \cdot \frac{y}{1 - p} = y. $$
#
# That is why outside training nothing needs to be done: no dropping, no scaling.
# %% [raw]
# # BEGIN SOLUTION
# %%
class LearnedPositionalEncoding(nn.Module):
    """Adds a trainable vector to each position.

    Its parameter `weight` (max_len, d_model) holds one row for each position.

    Args:
        max_len: the longest sequence.
        d_model: number of features.

    Source: Gehring et al., Convolutional Sequence to Sequence Learning (2017), section 3.1.
    """

    def __init__(self, max_len: int, d_model: int) -> None:
        super().__init__()
        # BEGIN SOLUTION NO PROMPT
        self.weight = nn.Parameter(0.02 * torch.randn(max_len, d_model))  # 0.02 is what GPT-2 and BERT start with
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: create the parameter weight; small random numbers are a good start
        raise NotImplementedError
        """; # END PROMPT

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x + weight[:n] for x (..., n, d_model); ValueError if n is greater than max_len."""
        # BEGIN SOLUTION NO PROMPT
        n, max_len = x.shape[-2], self.weight.shape[0]
        if n > max_len:
            raise ValueError(f"the sequence has {n} positions, but there are vectors for {max_len} only")
        return x + self.weight[:n]
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: check the length, then add the first n rows
        raise NotImplementedError
        """; # END PROMPT


def add_positions(x: torch.Tensor, pe: torch.Tensor, p: float, training: bool) -> torch.Tensor:
    """Add positions to `x` and apply inverted dropout to the sum.

    Args:
        x: embeddings (..., n, d).
        pe: a table of positions (m, d) with m >= n.
        p: probability with which an entry becomes zero, 0 <= p < 1.
        training: whether dropout acts; if not, the sum comes back as it is.

    Returns:
        A tensor of the shape and dtype of `x`. In training each entry is zero with probability p, independently of
        all others, and (x + pe[:n]) / (1 - p) otherwise.

    Source: Srivastava et al., Dropout (2014), section 10; Vaswani et al. (2017), section 5.4.
    """
    # BEGIN SOLUTION NO PROMPT
    y = x + pe[: x.shape[-2]]
    if not training or p == 0:
        return y
    keep = torch.rand_like(y) >= p
    return torch.where(keep, y / (1 - p), torch.zeros_like(y))
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: the sum, then dropout if training
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Your module learns a table from examples: noisy sequences of up to 24 positions, whose mean is the picture on
# the left. What it learned looks like it, up to position 23. The rows below have never been asked for: they are
# still the random numbers from the start. Right: the mean of your dropped sums stays where it was, at every $p$.
# %% tags=["otter_ignore"]
torch.manual_seed(0)
target = torch.sin(torch.arange(32.0)[:, None] * torch.linspace(0.9, 0.1, 16))
learned = LearnedPositionalEncoding(32, 16)
before = learned.weight.detach().clone()
optimizer = torch.optim.Adam(learned.parameters(), 0.05)
for _ in range(150):
    n = int(torch.randint(4, 25, ()))
    examples = target[:n] + 0.5 * torch.randn(8, n, 16)
    loss = ((learned(torch.zeros(8, n, 16)) - examples) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
fig, axes = plt.subplots(1, 4, figsize=(12, 3.2), width_ratios=[1, 1, 1, 1.4], layout="constrained")
pictures = [("what there is to learn", target), ("before training", before), ("your weight, trained", learned.weight)]
for ax, (title, values) in zip(axes, pictures, strict=False):
    heat(ax, values, title, "position $t$", "feature", vmin=-1.3, vmax=1.3)
    ax.axhline(23.5, color="black", lw=1, ls="--")
x, pe = torch.full((500, 20, 8), 2.0), torch.ones(30, 8)
rates = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9]
results = [add_positions(x, pe, p, True) for p in rates]
axes[3].axhline(3, color=GREY, lw=1, label="the sum x + pe")
axes[3].plot(rates, [float(y.mean()) for y in results], "o", color=BLUE, label="mean of your result")
axes[3].plot(rates, [3 * float((y != 0).float().mean()) for y in results], "^", color=ORANGE, label="without 1/(1-p)")
axes[3].set(title="inverted dropout keeps the mean", xlabel="p", ylim=(0, 4))
axes[3].legend(frameon=False, fontsize=8, loc="lower left")
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q5
# title: Rotary positions (RoPE)
# points: 4
# names: [rope]
# hints:
#   - >-
#     Take one pair (a, b) and one angle. What are the coordinates of the pair after a turn against the clock, from the
#     first axis towards the second? Test it with the pair (1, 0) and a turn of 90 degrees.
#   - >-
#     a = x[..., 0::2] and b = x[..., 1::2] have shape (..., n, d / 2), and so has the table of angles
#     positions[:, None] * frequencies, up to leading axes. The new pair is (a cos - b sin, a sin + b cos). Then put the
#     pairs side by side again: stack along a new last axis and flatten the last two.
#   - >-
#     angle = positions[:, None].double() * base ** (-torch.arange(0, d, 2, dtype=torch.float64, device=x.device) / d);
#     cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype); return torch.stack((a * cos - b * sin, a * sin + b *
#     cos), dim=-1).flatten(-2).
# %% [markdown]
# ## 5. Rotary positions (RoPE)
#
# What attention uses is the dot product of a query at position $m$ with a key at position $n$. Can the distance
# $m - n$ enter *there*, without adding anything to the words? Su et al. (2021) turn the hands of section 3 into
# an operation: cut query and key into pairs $(x_0, x_1), (x_2, x_3), \dots$ and rotate pair $i$ at position $m$ by
# the angle $+m\,\theta_i$, against the clock:
#
# $$ \begin{pmatrix} y_{2i} \\ y_{2i+1} \end{pmatrix}
#    = \begin{pmatrix} \cos m\theta_i & -\sin m\theta_i \\ \sin m\theta_i & \cos m\theta_i \end{pmatrix}
#    \begin{pmatrix} x_{2i} \\ x_{2i+1} \end{pmatrix},
#    \qquad \theta_i = \text{base}^{-2i/d}. $$
#
# Call the whole rotation $R_m$. Rotations are orthogonal, and they add up, so
#
# $$ (R_m q) \cdot (R_n k) = q^\top R_m^\top R_n\, k = q^\top R_{n - m}\, k. $$
#
# Absolute positions went in, and only the relative one is left. The length of each vector stays what it was, and
# the values are not touched at all. LLaMA and most open language models of today do this.
#
# **The same in one line.** Read a pair as a complex number $z = x_{2i} + \mathrm{i}\, x_{2i+1}$. A rotation is then a
# product: $z \mapsto z\, e^{\mathrm{i} m \theta_i}$.
#
# **Careful.** Lengths and relative scores come out right for the wrong direction as well, and for other pairings
# (many libraries pair $x_i$ with $x_{i + d/2}$). The values decide. And positions are given, not counted: in a
# long text that is processed in pieces they may start anywhere and leave gaps.
# %% [raw]
# # BEGIN SOLUTION
# %%
def rope(x: torch.Tensor, positions: torch.Tensor, base: float = 10000.0) -> torch.Tensor:
    """Rotate the pairs of features by angles that are proportional to the position.

    Args:
        x: queries or keys (..., n, d), d even.
        positions: int64 tensor (n,), in any order and with any gaps; shared by all leading axes.
        base: pair i turns by base^(-2i / d) at each position.

    Returns:
        A tensor of the shape, dtype and device of `x`. The pairs are (0, 1), (2, 3), ...; the turn is from the first
        feature of a pair towards the second. Gradients flow back to `x`.

    Raises:
        ValueError: if d is odd.

    Source: Su et al., RoFormer (2021), equations 14, 15 and 34.
    """
    # BEGIN SOLUTION NO PROMPT
    d = x.shape[-1]
    if d % 2:
        raise ValueError(f"the number of features must be even, not {d}")
    theta = base ** (-torch.arange(0, d, 2, dtype=torch.float64, device=x.device) / d)
    angle = positions[:, None] * theta  # (n, d / 2), float64: positions may be large
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    first, second = x[..., 0::2], x[..., 1::2]
    turned = torch.stack((first * cos - second * sin, first * sin + second * cos), dim=-1)
    return turned.flatten(-2)  # (..., n, d / 2, 2) -> (..., n, d)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: angles (n, d / 2), rotate the pairs, put them side by side again
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# The same vector at the positions 0, 1, 2, 3, 4, pair by pair. Arrows: your `rope`, darker for larger positions.
# Rings: the first arrow turned by a drawing program. Every pair turns at its own speed.
# %% tags=["otter_ignore"]
vector = torch.tensor([1.0, 0.0, 0.9, 0.4, 0.5, 0.8, -0.2, 0.9])
steps = torch.arange(5)
turned = rope(vector.expand(5, 8), steps, base=50.0)
fig, axes = plt.subplots(1, 4, figsize=(10.5, 2.7), layout="constrained")
for i, ax in enumerate(axes):
    radius = float(vector[2 * i : 2 * i + 2].norm())
    ax.add_patch(plt.Circle((0, 0), radius, fill=False, color=GREY, lw=0.8))
    for m in range(5):
        tip = turned[m, 2 * i : 2 * i + 2].tolist()
        style = {"arrowstyle": "-|>", "color": HANDS[i], "alpha": 0.25 + 0.18 * m, "lw": 1.5}
        ax.annotate("", tip, (0, 0), arrowprops=style)
        ring = Affine2D().rotate(m * 50 ** (-2 * i / 8)).transform(vector[2 * i : 2 * i + 2].tolist())
        ax.plot(*ring, "o", mfc="none", color="black", ms=8)
        if i < 2 or m in (0, 4):
            ax.text(*(1.25 * ring), str(m), ha="center", va="center", fontsize=7)
    ax.set(title=f"pair {i}: {50 ** (-2 * i / 8):.2f} a step", xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal")
    ax.axis("off")
plt.show()
# %% [markdown]
# One query and one key, placed at all pairs of positions $(m, n)$. With RoPE the score is constant along each
# diagonal. With added sinusoids it is not: there the word and the position mix ($q \cdot \mathrm{PE}[n]$ and so
# on). Right: the size of the scores of random queries and keys that point the same way, at growing distance. It
# decays, as in section 3; the grey line is the sum of the cosines.
# %% tags=["otter_ignore"]
generator = torch.Generator().manual_seed(1)
q, k = torch.randn(2, 32, generator=generator)
places = torch.arange(40)
rotary = rope(q.expand(40, 32), places, base=100.0) @ rope(k.expand(40, 32), places, base=100.0).T
table = sinusoidal(40, 32, base=100.0)
added = (q + table) @ (k + table).T
fig, axes = plt.subplots(1, 3, figsize=(11.5, 3.1), width_ratios=[1, 1, 1.15], layout="constrained")
for ax, values, title in [(axes[0], rotary, "RoPE: distance only"), (axes[1], added, "added sinusoids: not quite")]:
    limit = float(values.abs().max())
    heat(ax, values, title, "query at $m$", "key at $n$", vmin=-limit, vmax=limit, aspect="equal")
d, distances = 128, torch.arange(0, 256)
same = torch.randn(300, 1, d, generator=generator)
same = same / same.norm(dim=-1, keepdim=True)
scores = (rope(same.expand(300, 256, d), distances) * same).sum(-1)  # the key stays at position 0
axes[2].plot(scores.quantile(0.05, 0), color=BLUE, lw=0.5)
axes[2].plot(scores.quantile(0.95, 0), color=BLUE, lw=0.5)
axes[2].fill_between(distances, scores.quantile(0.05, 0), scores.quantile(0.95, 0), color=BLUE, alpha=0.2, lw=0)
axes[2].plot(scores.mean(0), color=BLUE, label="q = k: mean of your scores, 90 % band")
cosines = torch.cos(distances[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)).mean(1)
axes[2].plot(distances[::8], cosines[::8], "o", mfc="none", ms=4, color=GREY, label=r"mean of $\cos(k\,\theta_i)$")
axes[2].set(title="the decay, d = 128", xlabel="distance $m - n$", ylabel="score", ylim=(0, 1.05))
axes[2].legend(frameon=False, fontsize=8)
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q6
# title: Linear biases (ALiBi)
# points: 3
# names: [alibi_bias]
# hints:
#   - >-
#     Two separate tasks: a list of n_heads slopes, and one matrix of distances i - j that all heads share. How do you
#     make (n_heads, n, n) of them by broadcasting?
#   - >-
#     For a power of two, head h = 1, 2, ..., n_heads has the slope 2^(-8h / n_heads). Otherwise let m be the largest
#     power of two below n_heads: take all m slopes for m heads, then the 1st, 3rd, 5th, ... of the slopes for 2m heads
#     until there are enough. For the mask use masked_fill or torch.where: 0 * inf is NaN.
#   - >-
#     m = 2 ** int(math.log2(n_heads)); slopes = [2 ** (-8 * (h + 1) / m) for h in range(m)] + [2 ** (-4 * (2 * h + 1) /
#     m) for h in range(n_heads - m)]; distance = i[:, None] - i[None, :]; bias = -slopes[:, None, None] *
#     distance.abs(); if causal: bias.masked_fill(distance < 0, -inf).
# %% [markdown]
# ## 6. Linear biases (ALiBi)
#
# Press et al. (2022) leave the words alone altogether and *tell the scores* how far things are. Before the
# softmax, query $i$ and key $j$ get a penalty that grows linearly with their distance, with another slope $s_h$
# for each head $h$:
#
# $$ \text{bias}_{h,i,j}
#    = \begin{cases} -s_h\,(i - j) & j \le i \\ -\infty & j > i \quad \text{(the future)} \end{cases}
#    \qquad\text{or, not causal,}\qquad \text{bias}_{h,i,j} = -s_h\,|i - j| . $$
#
# A head with a steep slope sees its neighbourhood only, one with a flat slope sees far. Nothing is learned and no
# length is built in, so a model trained on 1,024 positions can read 2,048. The slopes form a geometric sequence.
# For $m$ heads, $m$ a power of two, it starts at $2^{-8/m}$ with that same ratio:
#
# $$ s_h = 2^{-8h/m}, \qquad h = 1, \dots, m: \qquad
#    m = 8 \;\text{ gives }\; \tfrac12,\, \tfrac14,\, \tfrac18,\, \dots,\, \tfrac1{256}. $$
#
# **Any number of heads.** The paper's code has a rule for when the number of heads is no power of two. Let $m$ be
# the largest power of two below it. The first $m$ heads get the slopes for $m$ heads. The others interleave: they
# get the first, third, fifth, ... slope of the sequence for $2m$ heads, which lie between the slopes that are
# taken already. With 12 heads: $2^{-1}, 2^{-2}, \dots, 2^{-8}$, and then $2^{-0.5}, 2^{-1.5}, 2^{-2.5}, 2^{-3.5}$,
# in this order.
# %% [raw]
# # BEGIN SOLUTION
# %%
# BEGIN SOLUTION NO PROMPT
def alibi_slopes(n_heads: int) -> list[float]:
    """Return the slopes of the paper, one for each head."""
    m = 2 ** (n_heads.bit_length() - 1)  # the largest power of two that is not above n_heads
    slopes = [2 ** (-8 * h / m) for h in range(1, m + 1)]
    between = [2 ** (-8 * h / (2 * m)) for h in range(1, 2 * m + 1, 2)]
    return slopes + between[: n_heads - m]


# END SOLUTION
def alibi_bias(n_heads: int, n: int, causal: bool = True) -> torch.Tensor:
    """Return the biases of ALiBi, to be added to the attention scores before the softmax.

    Args:
        n_heads: number of heads, a power of two or not.
        n: number of positions.
        causal: whether keys after the query are forbidden.

    Returns:
        float32 tensor (n_heads, n, n), axes head, query i, key j. Causal: -slope * (i - j) for j <= i, -inf for
        j > i. Otherwise -slope * |i - j|.

    Source: Press et al., Train Short, Test Long (2022), section 3, and the slopes of the code published with it.
    """
    # BEGIN SOLUTION NO PROMPT
    slopes = torch.tensor(alibi_slopes(n_heads))
    position = torch.arange(n)
    distance = position[:, None] - position[None, :]  # (n, n): i - j
    bias = -slopes[:, None, None] * distance.abs()
    return bias.masked_fill(distance < 0, -math.inf) if causal else bias
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: the slopes, the distances, the future
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# Top: your biases of four heads out of eight; white is forbidden. Bottom left: your slopes for 8 and 12 heads (dots)
# on the paper's (rings); the four last of twelve lie between the others. Bottom right: where the last of 60
# queries looks if all its scores are equal: each head has its own reach.
# %% tags=["otter_ignore"]
fig = plt.figure(figsize=(11, 5.2), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[1.1, 1])
bias = alibi_bias(8, 9)
for ax, head in zip(top.subplots(1, 4), [0, 1, 3, 7], strict=True):
    shown = bias[head].masked_fill(bias[head].isinf(), math.nan)
    title = f"head {head}: slope {-float(bias[head, 1, 0]):.3g}"
    image = heat(ax, shown, title, "query $i$", "key $j$", cmap="viridis", vmin=-4, vmax=0, aspect="equal")
top.colorbar(image, ax=ax, shrink=0.8, extend="min")
axes = bottom.subplots(1, 2)
paper = {8: [-1, -2, -3, -4, -5, -6, -7, -8], 12: [-1, -2, -3, -4, -5, -6, -7, -8, -0.5, -1.5, -2.5, -3.5]}
for heads, colour, shift in [(8, BLUE, -0.15), (12, ORANGE, 0.15)]:
    slopes = -alibi_bias(heads, 2, causal=False)[:, 0, 1]
    places = [head + shift for head in range(heads)]
    axes[0].semilogy(places, slopes, ".", color=colour, label=f"{heads} heads")
    axes[0].semilogy(places, [2.0**e for e in paper[heads]], "o", mfc="none", color=GREY, ms=8)
axes[0].set(title="your slopes, and the paper's", xlabel="head", ylabel="slope")
axes[0].legend(frameon=False)
for head, colour in zip([0, 3, 5, 7], HANDS, strict=True):
    weights = torch.softmax(alibi_bias(8, 60)[head, -1], -1)
    axes[1].semilogy(weights, color=colour, label=f"head {head}")
axes[1].set(title="weights of the last query, equal scores", xlabel="key $j$", ylim=(1e-5, 1))
axes[1].legend(frameon=False, ncols=4, fontsize=8)
plt.show()
# %% [raw]
# # END QUESTION
# %% [markdown]
# ## What to keep in mind
#
# | | where it acts | what is learned | sees | beyond the trained length |
# |---|---|---|---|---|
# | sinusoidal | added to the words | nothing | absolute position, distances by a rotation | defined, seldom useful |
# | learned | added to the words | one row for each position | absolute position | nothing there |
# | RoPE | rotates queries and keys | nothing | relative position | defined; works with a larger base |
# | ALiBi | added to the scores | nothing | distance | works well |
#
# ## Further reading
#
# - A. Vaswani et al., *Attention Is All You Need*, 2017.
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762). Section 3.5 is questions 2 and 3 in half a page.
# - J. Gehring et al., *Convolutional Sequence to Sequence Learning*, 2017.
#   [arXiv:1705.03122](https://arxiv.org/abs/1705.03122). Learned positions, section 3.1.
# - J. Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding*, 2021.
#   [arXiv:2104.09864](https://arxiv.org/abs/2104.09864). Section 3.2.2 derives the rotation, 3.4.3 the decay.
# - O. Press, N. A. Smith, M. Lewis, *Train Short, Test Long: Attention with Linear Biases Enables Input Length
#   Extrapolation*, 2022. [arXiv:2108.12409](https://arxiv.org/abs/2108.12409). Figure 1 is worth the download.
