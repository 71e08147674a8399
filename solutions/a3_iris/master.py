# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [raw]
# # ASSIGNMENT CONFIG
# slug: a3_iris
# title: A first classifier, supervised and unsupervised
# limits: {call_seconds: 12, question_seconds: 60, total_seconds: 120}
# %% [markdown]
# # A first classifier, supervised and unsupervised
#
# A complete piece of machine learning, from the raw table to the confusion matrix, on a data set so small
# that every step takes a second. Then the same flowers again, without their names: what can be found in data
# that nobody has labelled?
#
# **When you are done you can**
#
# 1. split data fairly, and scale them without letting the test set leak into the training;
# 2. write a small network in PyTorch and say why it ends in logits;
# 3. write the training loop that you will use in the rest of the course, and measure accuracy properly;
# 4. put everything together so that one seed decides everything;
# 5. write k-means with a good start, and say what its inertia can and cannot tell;
# 6. write principal component analysis (PCA) as a singular value decomposition, and compare clusters with the
#    truth.
#
# **How to work.** Go from top to bottom. Each question has a stub; replace the line that raises
# `NotImplementedError`, run the cell, then run the check below it. `grader.hint("q1")` gives a first nudge;
# ask again for more. Plan one to three hours. scikit-learn may help you to split and to scale in question 1.
# Its estimators (k-means, PCA, ...) are off limits in questions 5 and 6: there you write them.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $X$ | `X` | $(N, D)$ | one flower per row, one measurement per column |
# | $y$ | `y` | $(N,)$ | the species, 0, 1 or 2 |
# | $\mu, \sigma$ | `mean`, `std` | $(D,)$ | mean and standard deviation of each column |
# | $z$ | logits | $(N, 3)$ | one score per class |
# | $c_j$ | `centroids` | $(k, D)$ | the centre of cluster $j$ |
# | $V$ | `components` | $(n, D)$ | the principal directions, one per row |
# %%
from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
# %%
import deepmarks

grader = deepmarks.Notebook("a3_iris")
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
# Only for the figures; nothing here is graded.
import matplotlib.pyplot as plt

from deepmarks.datasets import load_iris

plt.rcParams.update({"figure.dpi": 110, "figure.constrained_layout.use": True, "font.size": 9})
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10})
plt.rcParams.update({"legend.frameon": False})
BLUE, ORANGE, GREEN, GREY = "#1f5f99", "#d9731a", "#2e8b57", "#777777"
COLOURS = (BLUE, ORANGE, GREEN)
MARKERS = ("o", "s", "^")

iris = load_iris()
SPECIES = [str(name) for name in iris.class_names]
FEATURES = [str(name).removesuffix(" (cm)") for name in iris.feature_names]


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


def scatter(ax, points, classes, names=SPECIES, **style):
    """Draw points (N, 2) with one colour and one marker per class."""
    for c, name in enumerate(names):
        chosen = points[np.asarray(classes) == c]
        own = {"s": 16, "color": COLOURS[c], "marker": MARKERS[c], "alpha": 0.8, "lw": 0, **style}
        ax.scatter(chosen[:, 0], chosen[:, 1], label=name, **own)


# %% [markdown]
# ## The idea
#
# In **words**: Edgar Anderson measured 150 irises of three species in 1935, four lengths each. Ronald Fisher
# asked in 1936 whether the measurements alone tell the species. A *classifier* is a function from four
# numbers to a species, fitted to flowers whose species is known (*supervised*). *Clustering* gets the four
# numbers only and must find groups by itself (*unsupervised*).
#
# As a **formula**: a classifier with parameters $\theta$ gives a score $z_c$ for each class. The softmax
# makes probabilities of them, and training makes the probability of the true class large:
#
# $$ p(c \mid x) = \frac{e^{z_c(x)}}{\sum_{k} e^{z_k(x)}}, \qquad
#    L(\theta) = -\frac1N \sum_{i=1}^{N} \log p(y_i \mid x_i). $$
#
# As a **figure**: all pairs of measurements. One species stands apart. The other two touch, most of all in
# the
# sepals: look there for the mistakes that every method of this notebook will make.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, axes = plt.subplots(4, 4, figsize=(8.6, 7.6), sharex="col")
for i, row in enumerate(axes):
    for j, ax in enumerate(row):
        if i == j:
            bins = np.linspace(iris.X[:, i].min(), iris.X[:, i].max(), 22)
            for c, colour in enumerate(COLOURS):
                ax.hist(iris.X[iris.y == c, i], bins=bins, color=colour, alpha=0.6)
            ax.set(yticks=[])
        else:
            scatter(ax, iris.X[:, [j, i]], iris.y, s=7)
        if j == 0:
            ax.set_ylabel(FEATURES[i])
        if i == 3:
            ax.set_xlabel(FEATURES[j])
handles, names = axes[0, 1].get_legend_handles_labels()
fig.legend(handles, names, loc="outside upper center", ncols=3, markerscale=2, title=f"{iris.source}; lengths in cm")
plt.show()


# %% [raw]
# # BEGIN QUESTION
# name: q1
# title: A fair split, a fair scale
# points: 3
# names: [split_and_scale]
# hints:
#   - >-
#     Treat each class on its own: which rows belong to it, and which of them go to the test part? Then forget
#     the test part while you compute the statistics.
#   - >-
#     rng = np.random.default_rng(seed); for each label, rng.permutation(np.flatnonzero(y == label)) and take
#     the first round(test_size * count) rows for testing. mean and std come from X_train.mean(axis=0) and
#     X_train.std(axis=0) before scaling; both parts are scaled with them. train_test_split(..., stratify=y,
#     random_state=seed) is fine too.
#   - >-
#     test = np.zeros(len(y), dtype=bool); set test[rows] = True for the chosen rows of each class; mean =
#     X[~test].mean(axis=0); std = X[~test].std(axis=0); std = np.where(std == 0, 1.0, std); return
#     (X[~test] - mean) / std, (X[test] - mean) / std, y[~test], y[test], mean, std.
# %% [markdown]
# ## 1. A fair split, a fair scale
#
# **The split.** Accuracy on flowers that the network has seen says little: it may know them by heart. So a
# part is put aside and touched once, at the end. With 30 test flowers, chance would give 6 of one species and
# 14 of another now and then. A *stratified* split takes the same share of each class.
#
# **The scale.** Gradient descent likes columns of similar size. Subtract the mean and divide by the standard
# deviation, column by column,
#
# $$ x'_{ij} = \frac{x_{ij} - \mu_j}{\sigma_j}, \qquad
#    \mu_j = \frac1n \sum_{i \in \text{train}} x_{ij}, \qquad
#    \sigma_j^2 = \frac1n \sum_{i \in \text{train}} (x_{ij} - \mu_j)^2 . $$
#
# The sums run over the **training part only**, for the test part too. Whatever you compute from the test part
# and then use in training is *leakage*: the test no longer shows what happens with flowers that you have
# never seen. Here it would change little. With feature selection, or imputation, or a single patient in both
# parts, it has ruined published results. Get used to doing it right.
#
# A column that never changes has $\sigma_j = 0$. Divide by 1 there.
# %% [raw]
# # BEGIN SOLUTION
# %%
def split_and_scale(
    X: np.ndarray, y: np.ndarray, test_size: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Split into a training and a test part, class by class, and scale both by the training part.

    Args:
        X: measurements, float64 (N, D); not modified.
        y: classes, int64 (N,).
        test_size: the share of each class that goes to the test part, between 0 and 1.
        seed: decides which rows; another seed gives another split.

    Returns:
        X_train (n, D), X_test (N - n, D), both scaled; y_train (n,), y_test (N - n,); and mean (D,), std (D,) of
        the unscaled training part (divisor n, as in np.std). A standard deviation of zero is given as 1.

    Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning (2009), section 7.10.2.
    """
    # BEGIN SOLUTION NO PROMPT
    rng = np.random.default_rng(seed)
    test = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        test[rows[: round(test_size * len(rows))]] = True
    X_train, X_test = X[~test], X[test]
    mean, std = X_train.mean(axis=0), X_train.std(axis=0)
    std = np.where(std == 0, 1.0, std)
    return (X_train - mean) / std, (X_test - mean) / std, y[~test], y[test], mean, std
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: choose the test rows of each class, then mean and std of the training rows, then scale both
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** Left: your training part (filled) and test part (rings), scaled. Right: how many flowers of
# each species 200 *unstratified* splits put among 30 test flowers, and how many yours does.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.3), width_ratios=[1.2, 1])
parts = yours(split_and_scale, iris.X, iris.y, 0.2, 0)
chance = np.random.default_rng(0)
counts = np.array([np.bincount(iris.y[chance.permutation(150)[:30]], minlength=3) for _ in range(200)])
edges = np.arange(2.5, 19)
right.hist(counts.ravel(), bins=edges, weights=np.full(counts.size, 1 / counts.size), color=GREY, alpha=0.5)
right.set(xlabel="flowers of one species among 30", ylabel="share of splits", title="Unstratified splits")
if parts is None:
    to_do(left, "split_and_scale")
else:
    X_train, X_test, y_train, y_test, mean, std = parts
    scatter(left, X_train[:, 2:], y_train)
    for c, colour in enumerate(COLOURS):
        chosen = X_test[y_test == c]
        style = {"marker": MARKERS[c], "facecolor": "none", "edgecolor": colour, "s": 42}
        left.scatter(chosen[:, 2], chosen[:, 3], label="test part" if c == 1 else None, **style)
    left.axhline(0, color=GREY, lw=0.6)
    left.axvline(0, color=GREY, lw=0.6)
    left.legend()
    for c, count in enumerate(np.bincount(y_test, minlength=3)):
        right.axvline(count + 0.08 * (c - 1), color=COLOURS[c], lw=2, label=f"yours: {SPECIES[c]}")
    right.legend(fontsize=8)
left.set(xlabel="petal length, scaled", ylabel="petal width, scaled", title=f"Your split ({iris.source})")
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q2
# title: A network with one hidden layer
# points: 2
# names: [IrisNet]
# hints:
#   - >-
#     nn.Linear(a, b) maps (N, a) to (N, b). What are a and b for the first layer, and for the second?
#   - >-
#     Create two nn.Linear in __init__, after super().__init__(). In forward: first layer, torch.relu, second
#     layer. Nothing comes after the second layer.
#   - >-
#     self.first = nn.Linear(in_features, hidden); self.second = nn.Linear(hidden, classes); forward returns
#     self.second(torch.relu(self.first(x))).
# %% [markdown]
# ## 2. A network with one hidden layer
#
# $$ h = \max(0,\; W_1 x + b_1), \qquad z = W_2 h + b_2, \qquad
#    x \in \mathbb{R}^4,\; h \in \mathbb{R}^{10},\; z \in \mathbb{R}^3 . $$
#
# Each hidden unit asks one question about a weighted sum of the measurements and answers with a number that
# is zero on one side of a plane. The output weighs the answers. Count the parameters before you run the cell:
# how many are there for $4 \to 10 \to 3$?
#
# **Why logits?** The softmax does not stand in the network. `nn.CrossEntropyLoss` takes the scores as they
# are and computes $\log p(c) = z_c - \log \sum_k e^{z_k}$ in one safe step. A softmax in the network would be
# applied twice: the loss could then never get below $\log(e + 2) - 1 \approx 0.55$, and the gradients would
# be tiny. For the prediction the softmax is not needed either: the largest score has the largest probability.
# %% [raw]
# # BEGIN SOLUTION
# %%
class IrisNet(nn.Module):
    """Linear, ReLU, linear: a classifier with one hidden layer that returns logits.

    Args:
        in_features: measurements per flower.
        hidden: units of the hidden layer.
        classes: number of classes.

    Source: Goodfellow, Bengio and Courville, Deep Learning (2016), chapter 6.
    """

    def __init__(self, in_features: int = 4, hidden: int = 10, classes: int = 3) -> None:
        super().__init__()
        # BEGIN SOLUTION NO PROMPT
        self.first = nn.Linear(in_features, hidden)
        self.second = nn.Linear(hidden, classes)
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: two linear layers
        raise NotImplementedError
        """; # END PROMPT

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn measurements (N, in_features) into logits (N, classes)."""
        # BEGIN SOLUTION NO PROMPT
        return self.second(torch.relu(self.first(x)))
        # END SOLUTION
        """ # BEGIN PROMPT
        # TODO: linear, ReLU, linear
        raise NotImplementedError
        """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** Untrained, the network already cuts the plane into pieces with straight borders: it is
# piecewise linear, and each dashed line is where one hidden unit switches on. Training will move the lines.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
side = np.linspace(-2.4, 2.4, 200)
plane = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)


def in_petal_plane(points):
    """Put petal measurements (n, 2) into four columns; both sepal measurements stay at their mean, which is 0."""
    return torch.tensor(np.pad(points, ((0, 0), (2, 0))), dtype=torch.float32)


def draw_regions(ax, model):
    """Colour the petal plane by the predicted class, stronger where the network is surer."""
    with torch.no_grad():
        sure, guess = torch.softmax(model(in_petal_plane(plane)), 1).max(1)
    shape = (len(side), len(side))
    ax.contourf(side, side, guess.reshape(shape), levels=[-0.5, 0.5, 1.5, 2.5], colors=COLOURS, alpha=0.22)
    ax.contour(side, side, sure.reshape(shape), levels=[0.6, 0.9], colors="white", linewidths=[2, 1])
    hidden = next((p for p in model.parameters() if p.ndim == 2 and p.shape[1] == 4), None)
    bias = next((p for p in model.parameters() if hidden is not None and p.shape == hidden.shape[:1]), None)
    if bias is not None:
        for w, b in zip(hidden.detach().numpy(), bias.detach().numpy(), strict=True):
            values = (plane @ w[2:] + b).reshape(shape)
            ax.contour(side, side, values, levels=[0], colors=GREY, linestyles="--", linewidths=0.7)
    ax.set(xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), xlabel="petal length, scaled", aspect="equal")


fig, axes = plt.subplots(1, 3, figsize=(9.6, 3.3), sharey=True)
for seed, ax in enumerate(axes):
    torch.manual_seed(seed)
    model = yours(IrisNet)
    logits = None if model is None else yours(model, in_petal_plane(plane[:2]))
    if logits is None:
        to_do(ax, "IrisNet")
    else:
        draw_regions(ax, model)
        if seed == 0:
            print("parameters:", sum(p.numel() for p in model.parameters()))
    ax.set_title(f"untrained, seed {seed}")
axes[0].set_ylabel("petal width, scaled")
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q3
# title: The training loop
# points: 4
# names: [train_epoch, accuracy]
# hints:
#   - >-
#     Say the five steps aloud: move the batch, forget old gradients, forward and loss, backward, step. And
#     what must you know about a batch, besides its mean loss, to get the mean over all samples?
#   - >-
#     criterion(...) is the mean over the batch; multiplied by len(y) it is a sum, and sums may be added.
#     Divide by the number of samples seen. accuracy: remember model.training, call model.eval(), predict
#     under torch.no_grad(), compare argmax with y, call model.train(what_it_was).
#   - >-
#     for X, y in loader: X, y = X.to(device), y.to(device); optimizer.zero_grad(); loss = criterion(model(X), y);
#     loss.backward(); optimizer.step(); total += loss.item() * len(y); count += len(y). Return total / count.
#     accuracy returns (model(X).argmax(1) == y).double().mean().item().
# %% [markdown]
# ## 3. The training loop
#
# One *epoch* shows every sample once, in batches. Each batch does the same five things, in every framework
# and at every scale: **move** the batch to the device, **forget** the old gradients (PyTorch *adds* new
# gradients to what is there), **forward** to the loss, **backward**, **step**.
#
# **The mean over samples.** `criterion` returns the mean over its batch. With 10 samples in batches of 4, 4
# and 2, the mean of the three means counts each of the last two samples twice. Weigh each batch by its size
# $n_b$:
#
# $$ \bar L = \frac{\sum_b n_b L_b}{\sum_b n_b} . $$
#
# **Two modes.** Dropout and batch normalisation behave differently in training and in use. `IrisNet` has
# neither, but the next network will. So `accuracy` switches to eval mode, and afterwards back to *whatever
# the mode was before*: a measurement must not change what it measures.
# %% [raw]
# # BEGIN SOLUTION
# %%
def train_epoch(
    model: nn.Module,
    loader: DataLoader,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: str | torch.device,
) -> float:
    """Train for one epoch and return the mean loss per sample.

    Args:
        model: a module on `device`.
        loader: gives batches (X, y); the last one may be smaller.
        criterion: criterion(model(X), y) is the mean loss of a batch.
        optimizer: holds the model's parameters.
        device: where the batches go.

    Returns:
        The mean over all samples of the loss, each as it was when its batch was shown, before the step.
    """
    # BEGIN SOLUTION NO PROMPT
    model.train()
    total, count = 0.0, 0
    for X, y in loader:
        X, y = X.to(device), y.to(device)
        optimizer.zero_grad()
        loss = criterion(model(X), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
        count += len(y)
    return total / count
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: the five steps for each batch, and the sum of the losses of all samples
    raise NotImplementedError
    """; # END PROMPT


def accuracy(model: nn.Module, X: torch.Tensor, y: torch.Tensor, device: str | torch.device) -> float:
    """Return the share of samples that the model classifies correctly, between 0 and 1.

    Args:
        model: a module on `device`; measured in eval mode, afterwards in the mode in which it came.
        X: float32 (N, D).
        y: int64 (N,).
        device: where X and y go.
    """
    # BEGIN SOLUTION NO PROMPT
    was_training = model.training
    model.eval()
    with torch.no_grad():
        guess = model(X.to(device)).argmax(dim=1)
    model.train(was_training)
    return (guess == y.to(device)).double().mean().item()
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: eval mode, argmax of the logits, the mode as it was
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** Sixty epochs with three optimisers from the same start, driven by your two functions. The
# loss falls long after the accuracy has stopped rising: the network becomes surer of what it already knows.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.2))
left.axhline(np.log(3), color=GREY, ls=":", lw=1)
left.text(60, np.log(3) * 1.05, "guessing: log 3", ha="right", va="bottom", color=GREY, fontsize=8)
OPTIMIZERS = {
    "SGD, 0.01": lambda p: torch.optim.SGD(p, 0.01),
    "SGD, 0.5": lambda p: torch.optim.SGD(p, 0.5),
    "Adam, 0.01": lambda p: torch.optim.Adam(p, 0.01),
}
for (name, build), colour in zip(OPTIMIZERS.items(), (GREY, ORANGE, BLUE), strict=True):
    torch.manual_seed(0)
    model, split = yours(IrisNet), yours(split_and_scale, iris.X, iris.y, 0.2, 0)
    if model is None or split is None:
        continue
    A, B = (torch.tensor(part, dtype=torch.float32) for part in split[:2])
    a, b = (torch.tensor(part) for part in split[2:4])
    loader = DataLoader(TensorDataset(A, a), 16, shuffle=True, generator=torch.Generator().manual_seed(0))
    optimizer, losses, shares = build(model.parameters()), [], []
    for _ in range(60):
        losses.append(yours(train_epoch, model, loader, nn.CrossEntropyLoss(), optimizer, "cpu"))
        shares.append(yours(accuracy, model, B, b, "cpu"))
    if losses[0] is not None:
        left.plot(range(1, 61), losses, color=colour, label=name)
    if shares[0] is not None:
        right.plot(range(1, 61), shares, color=colour, label=name)
for ax, what in ((left, "train_epoch"), (right, "accuracy")):
    if not ax.get_legend_handles_labels()[0]:
        to_do(ax, what)
    else:
        ax.legend()
left.set(xlabel="epoch", ylabel="mean loss per sample", yscale="log", title="Training loss")
right.set(xlabel="epoch", ylabel="accuracy", ylim=(0.2, 1.03), title=f"Accuracy on 30 test flowers ({iris.source})")
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q4
# title: One seed decides everything
# points: 4
# names: [fit]
# hints:
#   - >-
#     Where does chance enter? Twice: in the initial weights and in the order of the samples. Both must come
#     from seed, whatever was drawn before your function was called.
#   - >-
#     Call torch.manual_seed(seed) before you build the model. Make float32 and int64 tensors of the arrays,
#     wrap them in TensorDataset and DataLoader(shuffle=True), use torch.optim.Adam and nn.CrossEntropyLoss,
#     and call train_epoch once per epoch on "cpu".
#   - >-
#     torch.manual_seed(seed); model = IrisNet(); data = TensorDataset(torch.as_tensor(X_train,
#     dtype=torch.float32), torch.as_tensor(y_train, dtype=torch.int64)); loader = DataLoader(data,
#     batch_size, shuffle=True, generator=torch.Generator().manual_seed(seed)); optimizer =
#     torch.optim.Adam(model.parameters(), lr); then train_epoch in a loop; return model.
# %% [markdown]
# ## 4. One seed decides everything
#
# `fit` puts the parts together. A result that cannot be repeated cannot be debugged, so everything random
# hangs on `seed`: the initial weights and the order of the samples, which is new in every epoch.
#
# **Adam** (Kingma and Ba, 2015) keeps a running mean $m$ of each gradient $g$ and a running mean $v$ of its
# square, and divides one by the root of the other:
#
# $$ m \leftarrow \beta_1 m + (1-\beta_1)\, g, \quad
#    v \leftarrow \beta_2 v + (1-\beta_2)\, g^2, \quad
#    \theta \leftarrow \theta - \eta\,
#    \frac{m / (1-\beta_1^t)}{\sqrt{v / (1-\beta_2^t)} + \epsilon} . $$
#
# Each parameter gets a step of about $\eta$, however large or small its gradient is. That is why the default
# learning rate works here, while plain SGD with the same number hardly gets off the ground (you have just
# seen it).
#
# **What counts.** The grader looks at the accuracy on flowers that `fit` has not seen, at the seed, and at
# the loss after each of the first steps with one batch of all samples: there the order does not matter, and
# Adam's path follows from the initial weights alone.
# %% [raw]
# # BEGIN SOLUTION
# %%
def fit(
    X_train: np.ndarray,
    y_train: np.ndarray,
    seed: int,
    epochs: int = 100,
    lr: float = 0.01,
    batch_size: int = 16,
) -> nn.Module:
    """Train an IrisNet with Adam and cross-entropy on the CPU, and return it.

    Args:
        X_train: scaled measurements, float64 (n, 4); not modified.
        y_train: classes 0 to 2, int64 (n,).
        seed: decides the initial weights and the order of the samples, which is new in every epoch.
        epochs: how often every sample is shown; with 0 the model comes back untrained.
        lr: Adam's learning rate; everything else of Adam stays at its default.
        batch_size: samples per step; may be larger than n.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 1.
    """
    # BEGIN SOLUTION NO PROMPT
    torch.manual_seed(seed)
    model = IrisNet()
    data = TensorDataset(torch.as_tensor(X_train, dtype=torch.float32), torch.as_tensor(y_train, dtype=torch.int64))
    order = torch.Generator().manual_seed(seed)
    loader = DataLoader(data, batch_size=batch_size, shuffle=True, generator=order)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(epochs):
        train_epoch(model, loader, criterion, optimizer, "cpu")
    return model
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: seed, model, shuffled loader, Adam, cross-entropy, epochs
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** Above: what your network has learned, on the slice through the space of flowers where both
# sepals have their mean (white lines: 60 % and 90 % sure; rings: test flowers that it gets wrong). Below: the
# confusion matrix, and how the accuracy depends on the seed of split and training. With 30 test flowers one
# flower is 3.3 %: do not read much into the last digit.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
def class_table(truth, guess):
    """Print precision, recall and F1 for each class."""
    print(f"{'':12}{'precision':>10}{'recall':>8}{'F1':>7}{'flowers':>9}")
    for c, name in enumerate(SPECIES):
        hits = np.sum((guess == c) & (truth == c))
        precision, recall = hits / max(1, np.sum(guess == c)), hits / max(1, np.sum(truth == c))
        f1 = 2 * precision * recall / max(1e-12, precision + recall)
        print(f"{name:12}{precision:10.3f}{recall:8.3f}{f1:7.3f}{np.sum(truth == c):9d}")


def predictions(model, X):
    """The most probable class of each row."""
    with torch.no_grad():
        return model.eval()(torch.tensor(X, dtype=torch.float32)).argmax(1).numpy()


fig, axes = plt.subplots(1, 3, figsize=(10.4, 3.4), width_ratios=[1.15, 0.95, 1.1])
parts = yours(split_and_scale, iris.X, iris.y, 0.2, 0)
model = None if parts is None else yours(fit, parts[0], parts[2], 0)
if model is None:
    for ax in axes:
        to_do(ax, "q1 to q4")
else:
    X_train, X_test, y_train, y_test, *_ = parts
    draw_regions(axes[0], model)
    scatter(axes[0], X_train[:, 2:], y_train, s=9)
    scatter(axes[0], X_test[:, 2:], y_test, s=26, edgecolor="white", lw=0.8, alpha=1)
    guess = predictions(model, X_test)
    missed = X_test[guess != y_test]
    axes[0].scatter(missed[:, 2], missed[:, 3], s=110, facecolor="none", edgecolor="black", lw=1.2)
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (y_test, guess), 1)
    axes[1].imshow(confusion, cmap="Blues", vmin=0)
    for (i, j), n in np.ndenumerate(confusion):
        axes[1].text(j, i, n, ha="center", va="center", color="white" if n > 6 else "black", fontsize=12)
    axes[1].set(xticks=range(3), yticks=range(3), xticklabels=SPECIES, yticklabels=SPECIES, xlabel="predicted")
    axes[1].set(ylabel="true")
    results = []
    for seed in range(20):
        A, B, a, b, *_ = split_and_scale(iris.X, iris.y, 0.2, seed)
        results.append(np.mean(predictions(fit(A, a, seed, epochs=60), B) == b))
    values, counts = np.unique(np.round(np.array(results) * 30), return_counts=True)
    axes[2].bar(values, counts, color=BLUE, alpha=0.8)
    axes[2].axvline(30 * np.mean(results), color=ORANGE, lw=2, label=f"mean {np.mean(results):.3f}")
    axes[2].axvline(27, color=GREY, ls=":", label="90 %")
    axes[2].set(xlabel="of 30 test flowers right", ylabel="seeds", xlim=(20.5, 31), xticks=range(21, 31))
    axes[2].legend(loc="upper left")
    class_table(y_test, guess)
axes[0].set(ylabel="petal width, scaled", title=f"Decision regions ({iris.source})")
axes[1].set_title("Confusion matrix, test part")
axes[2].set_title("20 seeds, 60 epochs each")
plt.show()


# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q5
# title: k-means
# points: 4
# names: [kmeans]
# forbid: [sklearn_estimators]
# hints:
#   - >-
#     Write three small functions: the squared distances of all points to all centroids, an (N, k) array; the
#     start; and one run of assign and update. What happens to a centroid to which no point belongs?
#   - >-
#     k-means++: the first centroid is a random row. For each further one draw a row with probability
#     proportional to its squared distance to the nearest centroid so far; if all those are zero, draw any
#     row. An empty cluster keeps its centroid, or moves to the point that is farthest from its own. Stop when
#     the centroids do not move. Keep the best of n_init runs.
#   - >-
#     d = ((X[:, None] - c[None]) ** 2).sum(-1); labels = d.argmin(1); new c[j] = X[labels == j].mean(0) if
#     any(labels == j) else X[d.min(1).argmax()]. After the loop compute d, labels and inertia =
#     d.min(1).sum() once more from the final centroids. For the start use rng.choice(N, p=nearest /
#     nearest.sum()) with rng = np.random.default_rng(seed).
# %% [markdown]
# ## 5. k-means
#
# Now hide the species. k-means looks for $k$ centres such that every point is near one of them:
#
# $$ \text{inertia} = \sum_{i=1}^{N} \min_{j} \lVert x_i - c_j \rVert^2 . $$
#
# **Lloyd's algorithm** repeats two steps until nothing moves: give each point to its nearest centre; move
# each centre to the mean of its points. Neither step can increase the inertia, and there are finitely many
# ways to assign points, so it ends. But it ends in a *local* minimum, and the start decides in which one.
#
# **k-means++** (Arthur and Vassilvitskii, 2007) spreads the start. With $d_i$ the distance of $x_i$ to the
# nearest centre chosen so far, the next centre is $x_i$ with probability $d_i^2 / \sum_l d_l^2$. Far groups
# get a centre almost surely. Then run it `n_init` times and keep the run with the smallest inertia.
#
# **Corner cases.** A centre may lose all its points: the mean of nothing is NaN. And when there are fewer
# different points than centres, all $d_i$ become zero. Think about both before you start.
# %% [raw]
# # BEGIN SOLUTION
# %%
# BEGIN SOLUTION NO PROMPT
def squared_distances(X: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Return the squared distances of all points (N, D) to all centroids (k, D), an (N, k) array."""
    return ((X[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)


def plus_plus_start(X: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Choose k rows of X, each with a probability proportional to its squared distance to the nearest before."""
    chosen = [int(rng.integers(len(X)))]
    nearest = squared_distances(X, X[chosen]).min(axis=1)
    while len(chosen) < k:
        total = nearest.sum()
        row = int(rng.choice(len(X), p=nearest / total if total > 0 else None))
        chosen.append(row)
        nearest = np.minimum(nearest, squared_distances(X, X[[row]])[:, 0])
    return X[chosen].astype(np.float64)


# END SOLUTION
def kmeans(
    X: np.ndarray, k: int, seed: int, n_init: int = 10, max_iter: int = 300
) -> tuple[np.ndarray, np.ndarray, float]:
    """Cluster the rows of X into k groups: Lloyd's algorithm from k-means++ starts, the best of several runs.

    Args:
        X: points, float64 (N, D); not modified. Points may be equal.
        k: number of clusters, 1 <= k <= N.
        seed: decides everything that is random.
        n_init: number of runs; the one with the smallest inertia counts.
        max_iter: at most so many rounds of assign and update in each run.

    Returns:
        centroids (k, D), all finite; labels (N,), for each point the number of its nearest centroid; inertia, the
        sum of the squared distances of the points to their centroids.

    Source: Arthur and Vassilvitskii, k-means++: The Advantages of Careful Seeding (2007), section 2.2.
    """
    # BEGIN SOLUTION NO PROMPT
    rng = np.random.default_rng(seed)
    best = None
    for _ in range(n_init):
        centroids = plus_plus_start(X, k, rng)
        for _ in range(max_iter):
            distances = squared_distances(X, centroids)
            labels = distances.argmin(axis=1)
            moved = centroids.copy()
            for j in range(k):
                members = X[labels == j]
                # An empty cluster starts again at the point that is served worst.
                moved[j] = members.mean(axis=0) if len(members) else X[distances.min(axis=1).argmax()]
            settled = np.array_equal(moved, centroids)
            centroids = moved
            if settled:
                break
        distances = squared_distances(X, centroids)
        labels, inertia = distances.argmin(axis=1), float(distances.min(axis=1).sum())
        if best is None or inertia < best[2]:
            best = centroids, labels, inertia
    return best
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: n_init times: a k-means++ start, then assign and update until nothing moves; keep the best
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** Left: the inertia for $k = 1$ to 8. It always falls, so it cannot choose $k$; people look
# for the *elbow*. Is it at 2 or at 3? Middle: 200 single runs of your function, and the two or three inertias
# in which they end. Right: your clusters at $k = 3$ with their centres.
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
from sklearn.cluster import KMeans

fig, axes = plt.subplots(1, 3, figsize=(10.4, 3.3))
ks = range(1, 9)
library = [KMeans(k, n_init=5, random_state=0).fit(iris.X).inertia_ for k in ks]
axes[0].plot(ks, library, "o-", color=GREY, lw=5, ms=9, alpha=0.4, label="scikit-learn")
result = yours(kmeans, iris.X, 3, 0)
if result is None:
    to_do(axes[1], "kmeans")
    to_do(axes[2], "kmeans")
else:
    axes[0].plot(ks, [kmeans(iris.X, k, 0)[2] for k in ks], "o-", color=BLUE, ms=4, label="yours")
    single = np.array([kmeans(iris.X, 3, seed, n_init=1)[2] for seed in range(200)])
    axes[1].hist(single, bins=np.linspace(75, 150, 51), color=BLUE)
    axes[1].axvline(library[2], color=ORANGE, lw=1.5, ls="--", label="best known")
    axes[1].set(yscale="log", ylim=(0.8, 300))
    axes[1].legend()
    centroids, labels, _ = result
    for j in range(3):
        chosen = iris.X[labels == j]
        axes[2].scatter(chosen[:, 2], chosen[:, 3], s=12, alpha=0.7, color=["#8c5fa8", "#b0a030", "#3aa0a8"][j])
    axes[2].plot(centroids[:, 2], centroids[:, 3], "kX", ms=10, mec="white")
axes[0].set(xlabel="$k$", ylabel="inertia", title="The elbow")
axes[0].legend()
axes[1].set(xlabel="inertia", ylabel="runs", title="200 runs with n_init=1, $k=3$")
axes[2].set(xlabel="petal length", ylabel="petal width", title=f"Your clusters ({iris.source})")
plt.show()
# %% [raw]
# # END QUESTION
# %% [raw]
# # BEGIN QUESTION
# name: q6
# title: PCA, and clusters against the truth
# points: 3
# names: [pca, cluster_accuracy]
# forbid: [sklearn_estimators]
# hints:
#   - >-
#     Subtract the mean of each column, then np.linalg.svd(..., full_matrices=False). Which of its three
#     results holds directions in the space of the measurements, and how do singular values become variances?
#   - >-
#     The first n rows of Vt are the components. s ** 2 / (N - 1) are the variances; the ratio divides by the
#     sum over all of them, not only the first n. Flip a row whose largest absolute entry is negative, then
#     scores = centred X times the transposed components. For the matching: count how often cluster i meets
#     class j, and choose pairs.
#   - >-
#     rows = np.arange(n); V = Vt[:n]; V = V * np.sign(V[rows, np.abs(V).argmax(1)])[:, None]; return Xc @
#     V.T, V, (s**2 / (s**2).sum())[:n]. table = np.zeros((labels.max() + 1, y.max() + 1)); np.add.at(table,
#     (labels, y), 1); i, j = scipy.optimize.linear_sum_assignment(table, maximize=True); return table[i,
#     j].sum() / len(y).
# %% [markdown]
# ## 6. PCA, and clusters against the truth
#
# Four dimensions cannot be drawn. **PCA** (Pearson, 1901) looks for the direction in which the data vary
# most, then the next one at a right angle to it, and so on. Let $X_c$ be the data minus the mean of each
# column, with the singular value decomposition
#
# $$ X_c = U S V^\top, \qquad
#    \underbrace{\tfrac{1}{N-1} X_c^\top X_c}_{\text{covariance}} = V\, \tfrac{S^2}{N-1}\, V^\top . $$
#
# The rows of $V^\top$ are the *components*: the eigenvectors of the covariance. The variance along component
# $i$ is $s_i^2/(N-1)$, and the share of it in the total is the *explained variance ratio*
# $s_i^2 / \sum_l s_l^2$, where $l$ runs over **all** singular values. The *scores* are the coordinates in the
# new axes, $T = X_c V$.
#
# **Signs.** If $v$ is an eigenvector, so is $-v$. To get one answer on every machine we agree: the entry of
# each component with the largest absolute value is positive.
#
# **Clusters against the truth.** Cluster number 2 may be species 0: the numbers mean nothing. To compare,
# pair clusters with classes one to one such that as many points as possible agree. `cluster_accuracy` is the
# share of them. Two clusters cannot both be the same species, and points in a cluster without a partner count
# as wrong. (Trying all permutations is fine for 3 clusters; the Hungarian method,
# `scipy.optimize.linear_sum_assignment`, does any number.)
# %% [raw]
# # BEGIN SOLUTION
# %%
# BEGIN SOLUTION NO PROMPT
from scipy.optimize import linear_sum_assignment


# END SOLUTION
def pca(X: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Project onto the directions of largest variance.

    Args:
        X: points, float64 (N, D); centred here, not scaled; not modified.
        n_components: how many directions, at most min(N, D).

    Returns:
        scores (N, n_components), the coordinates of the centred points; components (n_components, D), orthonormal
        rows by falling variance, the entry with the largest absolute value of each positive; explained_variance_ratio
        (n_components,), the share of each in the variance of all D columns.

    Source: Pearson, On Lines and Planes of Closest Fit to Systems of Points in Space (1901).
    """
    # BEGIN SOLUTION NO PROMPT
    centred = X - X.mean(axis=0)
    _, s, Vt = np.linalg.svd(centred, full_matrices=False)
    components = Vt[:n_components]
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(n_components), largest])
    components = components * signs[:, None]
    ratio = s**2 / np.sum(s**2)
    return centred @ components.T, components, ratio[:n_components]
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: centre, SVD, signs, scores, shares of the variance
    raise NotImplementedError
    """; # END PROMPT


def cluster_accuracy(labels: np.ndarray, y: np.ndarray) -> float:
    """Return the share of points that agree under the best one-to-one matching of clusters and classes.

    Args:
        labels: cluster numbers from 0, int64 (N,).
        y: classes from 0, int64 (N,). There may be more or fewer classes than clusters.

    Returns:
        A number between 0 and 1; points in clusters without a partner count as wrong.

    Source: Kuhn, The Hungarian Method for the Assignment Problem (1955).
    """
    # BEGIN SOLUTION NO PROMPT
    table = np.zeros((labels.max() + 1, y.max() + 1))
    np.add.at(table, (labels, y), 1)
    clusters, classes = linear_sum_assignment(table, maximize=True)
    return float(table[clusters, classes].sum() / len(y))
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: count how often each cluster meets each class, choose the pairs that agree most
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION
# %% [markdown]
# **Look at it.** Left: the four axes of the measurements, seen in the plane of your first two components
# (thin crosses: scikit-learn's scores). Middle: your clusters in the same plane, black rings where they
# disagree with the truth. Right: explained variance. Where do clusters and species disagree, and why can
# k-means not know better?
# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
from sklearn.decomposition import PCA

fig, axes = plt.subplots(1, 3, figsize=(10.6, 3.5), width_ratios=[1.2, 1.2, 0.9])
result, clusters = yours(pca, iris.X, 2), yours(kmeans, iris.X, 3, 0)
right_one = PCA(4).fit(iris.X)
shares = right_one.explained_variance_ratio_
axes[2].bar(range(1, 5), shares, color=GREY, alpha=0.4, label="scikit-learn")
if result is None:
    to_do(axes[0], "pca")
    to_do(axes[1], "pca")
else:
    scores, components, ratio = result
    scatter(axes[0], scores, iris.y)
    theirs = right_one.transform(iris.X)[:, :2]
    theirs = theirs * np.sign((theirs * scores).sum(0))
    axes[0].plot(theirs[:, 0], theirs[:, 1], "k+", ms=3, mew=0.4, alpha=0.6)
    for j, name in enumerate(FEATURES):
        tip = 2 * components[:, j]
        axes[0].annotate("", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": "black", "lw": 1})
        axes[0].text(*(tip * 1.12), name, fontsize=7, ha="left" if tip[0] >= 0 else "right")
    axes[0].legend(fontsize=8, loc="lower left")
    axes[2].plot(range(1, 3), ratio, "o", color=BLUE, label="yours")
    share = None if clusters is None else yours(cluster_accuracy, clusters[1], iris.y)
    if share is None:
        to_do(axes[1], "kmeans and cluster_accuracy")
    else:
        centroids, labels, _ = clusters
        # Give each cluster the colour of the species with which it shares most points.
        owner = np.array([np.bincount(iris.y[labels == j], minlength=3).argmax() for j in range(3)])
        scatter(axes[1], scores, owner[labels])
        wrong = owner[labels] != iris.y
        axes[1].scatter(*scores[wrong].T, s=44, facecolor="none", edgecolor="black", lw=0.9)
        centres = (centroids - iris.X.mean(0)) @ components.T
        axes[1].plot(centres[:, 0], centres[:, 1], "kX", ms=10, mec="white")
        axes[1].set_title(f"Clusters: {share:.1%} agree, {wrong.sum()} rings")
axes[0].set(xlabel="component 1", ylabel="component 2", title=f"Species ({iris.source})", ylim=(-1.8, 2))
axes[1].set(xlabel="component 1", ylim=(-1.8, 2))
axes[2].set(xlabel="component", ylabel="share of the variance", ylim=(0, 1), xticks=range(1, 5))
axes[2].legend()
plt.show()
# %% [raw]
# # END QUESTION
# %% [markdown]
# ## What to take away
#
# - The test part is for the end. What is computed from data, a mean too, comes from the training part.
# - The network returns logits, the loss does the rest. Five steps make a training loop: move, forget,
#   forward, backward, step.
# - One seed, one result. If a run cannot be repeated, find out where else chance enters.
# - k-means finds round groups of similar size, whether or not that is what the data have. Its inertia says
#   how tight they are, not whether they are true.
# - PCA is a rotation. It keeps the variance, which need not be what tells the classes apart.
#
# **To play with** (not graded). Scale the data before k-means and PCA: what happens to the accuracy of the
# clusters, and to the first component? Train on two flowers of each species. Give `IrisNet` one hidden unit.
#
# ## Further reading
#
# - R. A. Fisher: *The use of multiple measurements in taxonomic problems.* Annals of Eugenics 7, 179-188
#   (1936). The data and the linear discriminant.
# - D. P. Kingma, J. Ba: *Adam: A Method for Stochastic Optimization.* ICLR (2015).
#   [arXiv:1412.6980](https://arxiv.org/abs/1412.6980). Algorithm 1 is the formula of section 4.
# - D. Arthur, S. Vassilvitskii: *k-means++: The Advantages of Careful Seeding.* SODA (2007). Why squared
#   distances: the expected inertia is within a factor $8(\ln k + 2)$ of the best.
# - K. Pearson: *On Lines and Planes of Closest Fit to Systems of Points in Space.* Philosophical Magazine 2,
#   559-572 (1901). PCA, in nine pages of geometry.
# - S. Kapoor, A. Narayanan: *Leakage and the reproducibility crisis in machine-learning-based science.*
#   Patterns 4 (2023). Seventeen fields in which leakage made results too good to be true.
