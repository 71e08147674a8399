# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [raw]
# # ASSIGNMENT CONFIG
# slug: a1_backprop
# title: Backpropagation by hand
# forbid: [torch, sklearn, autograd]
# limits: {call_seconds: 8}

# %% [markdown]
# # Backpropagation by hand
#
# Every network you will train in this course learns by the same two moves: compute how the loss changes
# when each weight changes, then step the other way. Frameworks do the first move for you. Today you do it
# yourself, with NumPy and the chain rule, once and properly. It is about forty lines.
#
# **When you are done you can**
#
# 1. derive the gradient of a loss with the chain rule and take a gradient step by hand;
# 2. write a numerically safe sigmoid, and its derivative without a second exponential;
# 3. write the forward pass of a two-layer network for a whole batch, as matrices;
# 4. write its backward pass, and say what shape each gradient has and why;
# 5. check any gradient with central differences, and choose the step size for a reason;
# 6. train a network on XOR, the smallest problem that one neuron cannot solve.
#
# **How to work.** Go from top to bottom. Each question has a stub; replace the line that raises
# `NotImplementedError`, run the cell, then run the check below it. The check says what it expected and,
# where it can, which mistake your result looks like. `grader.hint("q1")` gives a first nudge; ask again for
# more. Plan one to three hours. Only NumPy is allowed: torch, scikit-learn and automatic differentiation
# are switched off here.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $X$ | `X` | $(N, n_\text{in})$ | a batch of $N$ inputs, one per row |
# | $y$ | `y` | $(N, n_\text{out})$ | the targets |
# | $W_1$ | `W1` | $(n_\text{in}, n_\text{hidden})$ | weights of the hidden layer |
# | $b_1$ | `b1` | $(1, n_\text{hidden})$ | biases of the hidden layer |
# | $W_2$ | `W2` | $(n_\text{hidden}, n_\text{out})$ | weights of the output layer |
# | $b_2$ | `b2` | $(1, n_\text{out})$ | biases of the output layer |
# | $a_1, a_2$ | | like $h$, $\hat y$ | what goes into the sigmoids |
# | $h = \sigma(a_1)$ | | $(N, n_\text{hidden})$ | hidden activations |
# | $\hat y = \sigma(a_2)$ | `y_hat` | $(N, n_\text{out})$ | the network's outputs |
# | $\eta$ | `lr` | number | learning rate |
# | $\odot$ | `*` | | product entry by entry |

# %%
import numpy as np

# %%
import deepmarks

grader = deepmarks.Notebook("a1_backprop")

# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
# Only for the figures; nothing here is graded.
import matplotlib.pyplot as plt

plt.rcParams.update(
    {
        "figure.dpi": 110,
        "figure.constrained_layout.use": True,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "legend.frameon": False,
    }
)
BLUE, RED, GREEN, GREY = "#2f6db5", "#c8402f", "#3a8f5c", "#8a8a8a"


def yours(function, *args, **kwargs):
    """What your function returns, or None while it is still a stub."""
    try:
        return function(*args, **kwargs)
    except NotImplementedError:
        return None


def to_do(ax, names):
    """Say in an empty panel what is missing."""
    note = f"fill in {names},\nthen run this cell again"
    ax.text(0.5, 0.5, note, ha="center", va="center", transform=ax.transAxes, bbox={"fc": "#fff6d8", "ec": GREY})


# %% [markdown]
# ## The idea
#
# In **words**: a network is a chain of small functions. Each of them knows how its output changes when its
# input changes a little: that is its *local derivative*. To learn how the loss at the end changes when a
# weight at the beginning changes, walk the chain backwards and multiply the local derivatives. Each result
# is used again for everything further upstream, so the whole gradient costs about as much as two more forward
# passes, however many weights there are. That is backpropagation.
#
# As a **formula**, for a chain $w \to u \to v \to L$:
#
# $$\frac{\mathrm{d}L}{\mathrm{d}w} = \frac{\mathrm{d}L}{\mathrm{d}v}\cdot
#   \frac{\mathrm{d}v}{\mathrm{d}u}\cdot\frac{\mathrm{d}u}{\mathrm{d}w}.$$
#
# If a variable acts through several paths, the contributions of the paths **add up**. Remember this
# sentence: every sum in this notebook comes from it.
#
# As a **figure**, the smallest example there is: one linear neuron $y = w\,x$ with the loss
# $L = (t - y)^2$, at $x=1$, $w=10$ and the target $t=2$. Black runs forward and computes
# values. Red runs backward and computes derivatives of $L$; each red number is the one to its right times the
# local derivative.

# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, ax = plt.subplots(figsize=(8.6, 2.2))
ax.set(xlim=(-0.6, 8.9), ylim=(-1.35, 1.25))
ax.axis("off")
nodes = [
    (0, "$w$", "10", "16"),
    (2.6, r"$y = w\,x$", "10", "16"),
    (5.2, "$e = t - y$", "−8", "−16"),
    (7.8, "$L = e^2$", "64", "1"),
]
for x, label, value, slope in nodes:
    ax.text(
        x,
        0,
        label,
        ha="center",
        va="center",
        fontsize=12,
        bbox={"boxstyle": "round,pad=0.55", "fc": "#f3f6fa", "ec": BLUE},
    )
    ax.text(x, 0.7, value, ha="center", va="center", fontsize=12)
    ax.text(x, -0.7, slope, ha="center", va="center", fontsize=12, color=RED)
slopes = [r"\partial y/\partial w = x = 1", r"\partial e/\partial y = -1", r"\partial L/\partial e = 2e"]
for (x0, *_), (x1, *_), local in zip(nodes, nodes[1:], slopes, strict=False):
    ax.annotate("", (x1 - 0.3, 0.7), (x0 + 0.3, 0.7), arrowprops={"arrowstyle": "-|>", "color": "black"})
    ax.annotate("", (x0 + 0.3, -0.7), (x1 - 0.3, -0.7), arrowprops={"arrowstyle": "-|>", "color": RED})
    ax.text((x0 + x1) / 2, -1.0, f"${local}$", ha="center", va="center", color=RED, fontsize=9)
ax.text(-0.6, 1.12, "forward: values", fontsize=9, va="center")
ax.text(-0.6, -1.22, r"backward: $\partial L/\partial\,\cdot$", fontsize=9, va="center", color=RED)
plt.show()

# %% [raw]
# # BEGIN QUESTION
# name: q1
# title: One linear neuron
# points: 2
# names: [linear_neuron_step]
# hints:
#   - "Write the loss as a chain: y = w*x, then e = target - y, then loss = e**2. What is the local
#     derivative of each link?"
#   - "d(e**2)/de = 2e, de/dy = -1, and dy/dw is not 1: it is whatever w is multiplied by. Multiply the
#     three."
#   - "grad = 2 * (w * x - target) * x, and the step goes against the gradient: new_w = w - lr * grad."

# %% [markdown]
# ## 1. One linear neuron
#
# The neuron computes $y = w\,x$ and is punished by $L(w) = (t - y)^2$. As a function of $w$ this is a
# parabola, and its slope follows from the three links in the figure:
#
# $$\frac{\mathrm{d}L}{\mathrm{d}w}
#   = \underbrace{\frac{\mathrm{d}L}{\mathrm{d}e}}_{2e}\cdot
#     \underbrace{\frac{\mathrm{d}e}{\mathrm{d}y}}_{-1}\cdot
#     \underbrace{\frac{\mathrm{d}y}{\mathrm{d}w}}_{?}\qquad\text{with } e = t - y.$$
#
# The slope points uphill. **Gradient descent** goes the other way, by a distance that the learning rate sets:
# $w \leftarrow w - \eta\,\mathrm{d}L/\mathrm{d}w$.
#
# **Worked example.** $x=1,\ w=10,\ t=2,\ \eta=0.1$. Forward: $y=10$, $e=-8$, $L=64$. Backward: slope $16$.
# Step: $w = 10 - 0.1\cdot 16 = 8.4$. Now do $x = 3$ with pencil and paper before you write code: an $x$ of
# 1 hides one of the factors.

# %% [raw]
# # BEGIN SOLUTION


# %%
def linear_neuron_step(x: float, w: float, target: float, lr: float) -> tuple[float, float, float]:
    """Take one step of gradient descent for a neuron with a single weight.

    The neuron computes y = w * x; its loss is (target - y)**2.

    Parameters
    ----------
    x, w, target : float
        Input, weight and desired output.
    lr : float
        Learning rate.

    Returns
    -------
    loss, grad, new_w : float
        The loss before the step, its derivative dloss/dw, and the weight after the step.

    Source: Widrow and Hoff (1960), the delta rule.
    """
    # BEGIN SOLUTION NO PROMPT
    y = w * x
    loss = (target - y) ** 2
    grad = 2 * (y - target) * x
    return loss, grad, w - lr * grad
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: the loss, its derivative for w by the chain rule, and the weight after one step
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION

# %% [markdown]
# **Look at it.** Left: the parabola, and your first step from $w=10$: the tangent must have the slope you
# computed, and the step must go downhill. Right: twelve steps for four learning rates. Theory says that
# each step multiplies the distance to the minimum by $1 - 2\eta x^2$, so the loss by its square: these are
# the thin lines, and your dots should sit on them. Which learning rate converges without overshooting,
# which oscillates, which explodes?

# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4))
w_axis = np.linspace(-7, 11.5, 200)
left.plot(w_axis, (2 - w_axis) ** 2, color=GREY, lw=2)
left.set(xlabel="weight $w$", ylabel="loss $(2 - w)^2$", ylim=(-6, 92))
left.set_title("One step on the parabola ($x=1$, $t=2$)")
right.set(xlabel="step", ylabel="loss", yscale="log", title="Four learning rates", ylim=(1e-9, 1e6))
step = yours(linear_neuron_step, 1.0, 10.0, 2.0, 0.1)
if step is None:
    to_do(left, "linear_neuron_step")
else:
    loss, grad, new_w = step
    near = np.array([6.6, 11.4])
    left.plot(near, loss + grad * (near - 10), color=RED, lw=1.5, label=f"your slope: {grad:g}")
    left.plot(10, loss, "o", color=RED)
    left.plot(new_w, (2 - new_w) ** 2, "o", color=BLUE, label=f"your step: $w$ = {new_w:g}")
    left.annotate("", (new_w, loss), (10, loss), arrowprops={"arrowstyle": "-|>", "color": BLUE, "lw": 1.5})
    left.plot([new_w, new_w], [(2 - new_w) ** 2, loss], ":", color=BLUE)
    left.legend(loc="upper center")
for lr, colour in zip((0.1, 0.4, 0.8, 1.05), (BLUE, GREEN, "#d08a1d", RED), strict=True):
    k = np.arange(13)
    right.plot(k, 64 * (1 - 2 * lr) ** (2.0 * k), color=colour, lw=1, label=rf"$\eta$ = {lr}")
    if step is not None:
        w, losses = 10.0, []
        for _ in k:
            loss, _, w = linear_neuron_step(1.0, w, 2.0, lr)
            losses.append(loss)
        right.plot(k, losses, "o", ms=4, color=colour)
right.legend(ncols=2, loc="upper left")
plt.show()

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2
# title: The sigmoid and its derivative
# points: 3
# names: [sigmoid, sigmoid_grad_from_output]
# hints:
#   - "exp overflows for large positive arguments only. Can you arrange the formula so that exp never sees
#     one?"
#   - "For x >= 0 use 1 / (1 + exp(-x)); for x < 0 multiply numerator and denominator by exp(x). Note that
#     np.where computes both of its branches everywhere. The derivative takes s, the output: no sigmoid is
#     called in it."
#   - "e = np.exp(-np.abs(x)) is never above 1. The sigmoid is 1 / (1 + e) where x >= 0 and e / (1 + e)
#     elsewhere: np.where(x >= 0, 1.0, e) / (1.0 + e). The derivative is s * (1 - s)."

# %% [markdown]
# ## 2. The sigmoid and its derivative
#
# A chain of linear functions is a linear function, so a network needs something that is not linear between
# its layers. The classic choice is
#
# $$\sigma(x) = \frac{1}{1 + e^{-x}},\qquad \sigma(0) = \tfrac12,\qquad \sigma(-x) = 1 - \sigma(x).$$
#
# **Its derivative** with the chain rule, writing $s = \sigma(x) = u^{-1}$ with $u = 1 + e^{-x}$:
#
# $$\sigma'(x) = -\frac{1}{u^2}\cdot(-e^{-x}) = \frac{1}{1+e^{-x}}\cdot\frac{e^{-x}}{1+e^{-x}} = s\,(1-s),$$
#
# because $\frac{e^{-x}}{1+e^{-x}} = 1 - \frac{1}{1+e^{-x}}$. The derivative can be had from the *output*
# alone. The forward pass has computed it already, so the backward pass needs no exponential. It is never
# above $\tfrac14$: remember that number when you meet networks with many layers.
#
# **In floating point** the textbook formula has a flaw. For $x = -10^4$ it asks for $e^{10\,000}$, which is
# far beyond the largest float64 ($1.8\cdot10^{308} \approx e^{709.8}$). NumPy warns of an overflow and goes
# on with `inf`. For negative $x$ multiply numerator and denominator by $e^{x}$:
#
# $$\sigma(x) = \frac{e^{x}}{1 + e^{x}}.$$
#
# Now the exponent is never positive. Your function must use each form where it is safe. Beware:
# `np.where(c, a, b)` computes both `a` and `b` for *all* entries before it chooses.

# %% [raw]
# # BEGIN SOLUTION


# %%
def sigmoid(x: np.ndarray) -> np.ndarray:
    """The logistic function 1 / (1 + exp(-x)), entry by entry.

    Parameters
    ----------
    x : float64 array of any shape
        Any real numbers; not modified.

    Returns
    -------
    float64 array of the same shape
        Between 0 and 1, with an absolute error of at most 1e-15. No overflow warning, even at |x| = 1e4.

    Source: Rumelhart, Hinton and Williams (1986), equation 2.
    """
    # BEGIN SOLUTION NO PROMPT
    e = np.exp(-np.abs(x))  # never above 1, so it cannot overflow
    return np.where(x >= 0, 1.0, e) / (1.0 + e)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: the logistic function, arranged so that exp never overflows
    raise NotImplementedError
    """; # END PROMPT


def sigmoid_grad_from_output(s: np.ndarray) -> np.ndarray:
    """The derivative of the sigmoid, from its output.

    Parameters
    ----------
    s : float64 array of any shape
        Values s = sigmoid(x) that have been computed already; not modified.

    Returns
    -------
    float64 array of the same shape
        The derivative of the sigmoid at that x.
    """
    # BEGIN SOLUTION NO PROMPT
    return s * (1.0 - s)
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: the derivative as a function of s alone
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION

# %% [markdown]
# **Look at it.** Left: your two functions (dashed) on the right ones. Note how flat the ends are: where the
# sigmoid is *saturated*, almost no gradient passes. Right: your error against a reference. Everything
# should stay below the line at $10^{-15}$, which is about nine times the spacing of float64 numbers just
# below 1.

# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
from scipy.special import expit

fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.2))
x = np.linspace(-8, 8, 401)
left.plot(x, expit(x), color=BLUE, lw=4, alpha=0.35, label=r"$\sigma(x)$")
left.plot(x, np.gradient(expit(x), x), color=RED, lw=4, alpha=0.35, label=r"$\sigma'(x)$")
left.axhline(0.25, color=GREY, lw=0.8, ls=":")
left.text(-8, 0.27, "1/4", color=GREY, fontsize=9)
left.set(xlabel="$x$", title="The sigmoid and its derivative")
s = yours(sigmoid, x)
slope = None if s is None else yours(sigmoid_grad_from_output, s)
if s is not None:
    left.plot(x, s, "--", color=BLUE, label="your sigmoid")
if slope is not None:
    left.plot(x, slope, "--", color=RED, label="your derivative")
left.legend(loc="upper left")
wide = np.linspace(-45, 45, 1801)
ours = yours(sigmoid, wide)
if ours is None:
    to_do(right, "sigmoid")
else:
    right.plot(wide, np.maximum(np.abs(ours - expit(wide)), 1e-20), ".", ms=3, color=BLUE)
right.axhline(1e-15, color=RED, lw=1)
right.text(45, 1.3e-15, "allowed", color=RED, ha="right", fontsize=9)
right.set(yscale="log", xlim=(-48, 48), ylim=(5e-21, 1e-13), xlabel="$x$", ylabel="absolute error")
right.set_title("Your error (drawn at 1e-20 where there is none)")
plt.show()

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3
# title: Two layers, forward
# points: 4
# names: [init_params, forward]
# hints:
#   - "A Generator has its own methods: look for the one that draws standard normal numbers of a given
#     shape. For forward, say the shapes aloud: (N, n_in) @ (n_in, n_hidden) + (1, n_hidden)."
#   - "rng.standard_normal((n_in, n_hidden)) and np.zeros((1, n_hidden)); the same for the second layer.
#     Both layers of forward end with your sigmoid. What will backward need? The inputs of both layers, and
#     the outputs of both sigmoids."
#   - "h = sigmoid(X @ params['W1'] + params['b1']); y_hat = sigmoid(h @ params['W2'] + params['b2']);
#     return y_hat, {'X': X, 'h': h, 'y_hat': y_hat}."

# %% [markdown]
# ## 3. Two layers, forward
#
# **Why a hidden layer?** The exclusive or is true when *exactly one* of its inputs is 1. Ask one sigmoid
# neuron for it. Its output is above $\tfrac12$ exactly when $w_1 x_1 + w_2 x_2 + b > 0$, so the four rows
# of the truth table demand
#
# $$\begin{aligned}
# (0,0)\to 0:&& b &\le 0 \\
# (0,1)\to 1:&& w_2 + b &> 0 \\
# (1,0)\to 1:&& w_1 + b &> 0 \\
# (1,1)\to 0:&& w_1 + w_2 + b &\le 0
# \end{aligned}$$
#
# Add the two in the middle: $w_1 + w_2 + 2b > 0$, hence $w_1 + w_2 + b > -b \ge 0$. That contradicts the
# last row. No weights will do: one neuron cuts the plane with one straight line, and XOR needs two (Minsky
# and Papert, 1969). Two hidden neurons can draw two lines, and an output neuron can combine them. So:
#
# $$h = \sigma(X W_1 + b_1),\qquad \hat y = \sigma(h\, W_2 + b_2).$$
#
# One row of $X$ is one example, so a product of matrices serves the whole batch. The biases have the shape
# $(1, n)$: broadcasting adds the same row to every example. (Remember where a variable is used *several
# times*. It will matter on the way back.)
#
# **Where to start?** Draw the weights from a standard normal distribution; set the biases to zero. If all
# weights were equal, all hidden neurons would compute the same, receive the same gradient and stay equal
# for ever. Random numbers break the symmetry. Take them from the generator `rng` that you are given and
# from nowhere else: then one seed gives one result, on every machine.
#
# **The cache.** `forward` also returns whatever `backward` will need. What is in it, and how it is packed,
# is your business: nobody but your `backward` looks inside.
#
# **Worked example** (after Mazur, 2015). One example $X = (0.05,\ 0.10)$ with
#
# $$W_1 = \begin{pmatrix}0.15 & 0.25\\ 0.20 & 0.30\end{pmatrix},\quad b_1 = (0.35,\ 0.35),\quad
#   W_2 = \begin{pmatrix}0.40 & 0.50\\ 0.45 & 0.55\end{pmatrix},\quad b_2 = (0.60,\ 0.60)$$
#
# gives $a_1 = (0.3775,\ 0.3925)$, $h = (0.593270,\ 0.596884)$ and $\hat y = (0.751365,\ 0.772928)$.

# %% [raw]
# # BEGIN SOLUTION


# %%
def init_params(n_in: int, n_hidden: int, n_out: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the weights of a two-layer network.

    Parameters
    ----------
    n_in, n_hidden, n_out : int
        Numbers of inputs, hidden neurons and outputs.
    rng : np.random.Generator
        The only source of random numbers.

    Returns
    -------
    dict of float64 arrays
        W1 (n_in, n_hidden) and W2 (n_hidden, n_out): standard normal, drawn from `rng` in any order.
        b1 (1, n_hidden) and b2 (1, n_out): zeros.
    """
    # BEGIN SOLUTION NO PROMPT
    return {
        "W1": rng.standard_normal((n_in, n_hidden)),
        "b1": np.zeros((1, n_hidden)),
        "W2": rng.standard_normal((n_hidden, n_out)),
        "b2": np.zeros((1, n_out)),
    }
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: standard normal weights from rng, zero biases, in a dict
    raise NotImplementedError
    """; # END PROMPT


def forward(params: dict[str, np.ndarray], X: np.ndarray) -> tuple[np.ndarray, object]:
    """Run a batch through two sigmoid layers.

    Parameters
    ----------
    params : dict
        W1, b1, W2, b2 as `init_params` makes them; not modified.
    X : float64 array (N, n_in)
        One example per row; not modified.

    Returns
    -------
    y_hat : float64 array (N, n_out)
        The outputs, between 0 and 1.
    cache : anything
        What your `backward` needs. Keep it in this object, not in global variables.

    Source: Rumelhart, Hinton and Williams (1986), equations 1 and 2.
    """
    # BEGIN SOLUTION NO PROMPT
    h = sigmoid(X @ params["W1"] + params["b1"])  # (N, n_hidden)
    y_hat = sigmoid(h @ params["W2"] + params["b2"])  # (N, n_out)
    return y_hat, {"X": X, "h": h, "y_hat": y_hat}
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: two layers, each with weights, biases and a sigmoid; return the outputs and a cache
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION

# %% [markdown]
# **Look at it.** Three networks with four hidden neurons and random weights, before any training. Colour is
# the output at every point of the plane; the four corners of XOR are drawn in the colour they *should*
# have. Nothing fits yet. Training will bend these surfaces.

# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
XOR_X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR_y = np.array([[0.0], [1.0], [1.0], [0.0]])
side = np.linspace(-0.4, 1.4, 121)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def draw_surface(ax, params):
    """The network's output over the plane, with the corners of XOR on it."""
    surface = forward(params, plane)[0].reshape(len(side), len(side))
    picture = ax.contourf(side, side, surface, levels=np.linspace(0, 1, 21), cmap="RdBu_r")
    ax.contour(side, side, surface, levels=[0.5], colors="black", linewidths=1.2)
    ax.scatter(*XOR_X.T, c=XOR_y[:, 0], cmap="RdBu_r", vmin=0, vmax=1, s=110, edgecolors="black", zorder=3)
    ax.set(xlabel="$x_1$", aspect="equal", xticks=[0, 1], yticks=[0, 1])
    return picture


fig, panels = plt.subplots(1, 3, figsize=(9.4, 3.1))
for seed, ax in enumerate(panels):
    start = yours(init_params, 2, 4, 1, np.random.default_rng(seed))
    if start is None or yours(forward, start, plane) is None:
        to_do(ax, "init_params and forward")
        continue
    picture = draw_surface(ax, start)
    ax.set_title(f"seed {seed}, untrained")
    if seed == 2:
        fig.colorbar(picture, ax=panels, label=r"output $\hat y$", ticks=[0, 0.5, 1])
panels[0].set_ylabel("$x_2$")
plt.show()

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4
# title: Two layers, backward
# points: 5
# names: [half_sse, backward]
# hints:
#   - "Go from the loss to the input, one arrow of the figure at a time, and write the shape of each result
#     beside it. A gradient always has the shape of the thing it belongs to."
#   - "delta2 = (y_hat - y) * sigmoid'(from y_hat). Then dW2 = h.T @ delta2 and db2 = the sum of delta2 over
#     the batch, with keepdims. To cross the layer: delta2 @ W2.T. What is still missing before that is
#     delta1?"
#   - "delta1 = (delta2 @ W2.T) * h * (1 - h); dW1 = X.T @ delta1; db1 = delta1.sum(axis=0, keepdims=True).
#     No division by N: the loss is a sum."

# %% [markdown]
# ## 4. Two layers, backward
#
# The loss of a batch is half the sum of the squared errors, over all examples and all outputs:
#
# $$E = \tfrac12 \sum_{n=1}^{N}\sum_{k=1}^{n_\text{out}} \left(\hat y_{nk} - y_{nk}\right)^2 .$$
#
# The $\tfrac12$ is there for one purpose: it cancels the 2 of the derivative.

# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, ax = plt.subplots(figsize=(9.4, 2.7))
ax.set(xlim=(-0.5, 10.5), ylim=(-1.7, 1.4))
ax.axis("off")
chain = [
    ("$X$", "$(N, n_{in})$"),
    ("$a_1$", "$(N, n_{hidden})$"),
    ("$h$", "$(N, n_{hidden})$"),
    ("$a_2$", "$(N, n_{out})$"),
    (r"$\hat y$", "$(N, n_{out})$"),
    ("$E$", "number"),
]
ahead = [r"$X W_1 + b_1$", r"$\sigma$", r"$h\,W_2 + b_2$", r"$\sigma$", r"$\frac{1}{2}\Sigma(\hat y - y)^2$"]
back = ["", r"$\odot\; h(1-h)$", r"$\cdot\; W_2^{\top}$", r"$\odot\;\hat y(1-\hat y)$", r"$\hat y - y$"]
names = ["", r"$\delta_1$", "", r"$\delta_2$", "", "1"]
for i, (label, shape) in enumerate(chain):
    ax.text(
        2 * i,
        0,
        label,
        ha="center",
        va="center",
        fontsize=13,
        bbox={"boxstyle": "circle,pad=0.35", "fc": "#f3f6fa", "ec": BLUE},
    )
    ax.text(2 * i, 1.2, shape, ha="center", va="center", fontsize=8, color=GREY)
    ax.text(2 * i, -0.85, names[i], ha="center", va="center", fontsize=12, color=RED)
for i in range(5):
    start, end = 2 * i + 0.3, 2 * i + 1.7
    ax.annotate("", (end, 0.35), (start, 0.35), arrowprops={"arrowstyle": "-|>", "color": "black"})
    ax.text(2 * i + 1, 0.72, ahead[i], ha="center", va="center", fontsize=10)
    if i:
        ax.annotate("", (start, -0.35), (end, -0.35), arrowprops={"arrowstyle": "-|>", "color": RED})
        ax.text(2 * i + 1, -0.68, back[i], ha="center", va="center", fontsize=10, color=RED)
ends = {2: r"$dW_1 = \;?\quad db_1 = \;?$", 6: r"$dW_2 = h^{\top}\delta_2\quad db_2 = \Sigma_n\,\delta_2$"}
for i, text in ends.items():
    ax.annotate("", (i, -1.32), (i, -1.0), arrowprops={"arrowstyle": "-|>", "color": RED})
    ax.text(i, -1.55, text, ha="center", va="center", fontsize=10, color=RED)
plt.show()

# %% [markdown]
# Walk the figure from right to left. $\delta$ stands for $\partial E/\partial a$, the gradient at the
# *input* of a sigmoid.
#
# **The loss.** Each output occurs in one square only: $\partial E/\partial \hat y = \hat y - y$.
#
# **The output's sigmoid** acts entry by entry, so its derivative multiplies entry by entry:
#
# $$\delta_2 = (\hat y - y)\odot \hat y \odot (1 - \hat y).$$
#
# **The output's linear layer.** In indices $a_{2,nk} = \sum_j h_{nj}\,W_{2,jk} + b_{2,k}$. A weight
# $W_{2,jk}$ is used once *for each example*, a bias too, and a hidden activation $h_{nj}$ once *for each
# output*. Contributions of several paths add up, so
#
# $$\frac{\partial E}{\partial W_{2,jk}} = \sum_n h_{nj}\,\delta_{2,nk},\qquad
#   \frac{\partial E}{\partial b_{2,k}} = \sum_n \delta_{2,nk},\qquad
#   \frac{\partial E}{\partial h_{nj}} = \sum_k \delta_{2,nk}\,W_{2,jk}.$$
#
# A sum over a shared index is a product of matrices. Read off which factor must be transposed for the
# shapes to fit:
#
# $$\underbrace{dW_2}_{(n_\text{hidden},\,n_\text{out})} = h^{\top}\delta_2,\qquad
#   \underbrace{db_2}_{(1,\,n_\text{out})} = \textstyle\sum_n \delta_2,\qquad
#   \underbrace{\partial E/\partial h}_{(N,\,n_\text{hidden})} = \delta_2\,W_2^{\top}.$$
#
# **The hidden layer.** Nothing new happens: first its sigmoid, then its linear layer:
#
# $$\delta_1 = (\delta_2 W_2^{\top})\odot h\odot(1-h).$$
#
# Work out $dW_1$ and $db_1$ yourself: they are the formulas above with the names exchanged.
#
# **Worked example** (continued). With the targets $y = (0.01,\ 0.99)$ the loss is $E = 0.298371$, and
# $\partial E/\partial W_2$ begins with $0.082167$ in its upper left corner.

# %% [raw]
# # BEGIN SOLUTION


# %%
def half_sse(y_hat: np.ndarray, y: np.ndarray) -> float:
    """Half the sum of the squared errors, over the batch and the outputs.

    Parameters
    ----------
    y_hat, y : float64 arrays (N, n_out)
        Outputs and targets; not modified.

    Returns
    -------
    float
        A single number; a sum, not a mean.

    Source: Rumelhart, Hinton and Williams (1986), equation 3.
    """
    # BEGIN SOLUTION NO PROMPT
    return 0.5 * float(np.sum((y_hat - y) ** 2))
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: half the sum of the squared errors
    raise NotImplementedError
    """; # END PROMPT


def backward(params: dict[str, np.ndarray], cache: object, y: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients of `half_sse` for all parameters.

    Parameters
    ----------
    params : dict
        The parameters that `forward` was called with; not modified.
    cache : anything
        What `forward` returned beside the outputs.
    y : float64 array (N, n_out)
        The targets; not modified.

    Returns
    -------
    dict of float64 arrays
        dW1, db1, dW2, db2, each of the shape of its parameter.

    Source: Rumelhart, Hinton and Williams (1986), equations 4 to 7.
    """
    # BEGIN SOLUTION NO PROMPT
    X, h, y_hat = cache["X"], cache["h"], cache["y_hat"]
    delta2 = (y_hat - y) * sigmoid_grad_from_output(y_hat)  # (N, n_out)
    delta1 = (delta2 @ params["W2"].T) * sigmoid_grad_from_output(h)  # (N, n_hidden)
    return {
        "dW1": X.T @ delta1,
        "db1": delta1.sum(axis=0, keepdims=True),
        "dW2": h.T @ delta2,
        "db2": delta2.sum(axis=0, keepdims=True),
    }
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: delta2, then delta1, then the four gradients
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION

# %% [markdown]
# **Think.** Where in your code does the sum over the batch happen for $dW_1$? Where for $db_1$? And why is
# there no gradient for $X$?

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5
# title: Is the gradient right?
# points: 2
# names: [numerical_gradient]
# hints:
#   - "One entry at a time: raise it by eps, call f; lower it by eps, call f; the difference is what that
#     entry does. np.ndindex(x.shape) visits the entries of an array of any shape."
#   - "The two points are 2 * eps apart. If you change x itself, remember the old value and put that back:
#     adding and subtracting eps again may leave a rounding error behind."
#   - "for i in np.ndindex(x.shape): old = x[i]; x[i] = old + eps; up = f(x); x[i] = old - eps; down = f(x);
#     x[i] = old; gradient[i] = (up - down) / (2 * eps)."

# %% [markdown]
# ## 5. Is the gradient right?
#
# A wrong gradient seldom crashes. The loss may even go down, only slower. So test it, with nothing but the
# definition of a derivative: nudge one entry of $x$ and see what $f$ does. Nudge in both directions,
# because then the errors cancel. By Taylor's theorem
#
# $$f(x \pm \epsilon) = f(x) \pm \epsilon f'(x) + \tfrac{\epsilon^2}{2} f''(x)
#   \pm \tfrac{\epsilon^3}{6} f'''(x) + \dots$$
#
# $$\begin{aligned}
# \text{one-sided:}&& \frac{f(x+\epsilon) - f(x)}{\epsilon} &= f'(x) + \frac{\epsilon}{2} f''(x) + \dots\\
# \text{central:}&& \frac{f(x+\epsilon) - f(x-\epsilon)}{2\epsilon}
# &= f'(x) + \frac{\epsilon^2}{6} f'''(x) + \dots
# \end{aligned}$$
#
# The even terms drop out of the central difference: halve $\epsilon$, and the error falls to a quarter.
#
# **But not for ever.** The two values of $f$ are rounded, each by about $u\,|f|$ with
# $u = 1.1\cdot10^{-16}$, and the difference of two nearly equal numbers keeps all of that error. Divided by
# $2\epsilon$ it becomes $u\,|f|/\epsilon$, which *grows* as $\epsilon$ shrinks. The sum of both errors,
# $\tfrac{\epsilon^2}{6}|f'''| + \tfrac{u}{\epsilon}|f|$, is least near
#
# $$\epsilon \approx \sqrt[3]{3u\,|f|/|f'''|} \approx 7\cdot10^{-6}$$
#
# for a function whose values and derivatives are about 1. Hence the default of $10^{-5}$.
#
# The price is two evaluations of $f$ *per entry*: for a network with a million weights two million forward
# passes, where backpropagation needs one forward and one backward. It is a test, not a way to train.

# %% [raw]
# # BEGIN SOLUTION


# %%
def numerical_gradient(f, x: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """The gradient of a function by central differences.

    Parameters
    ----------
    f : callable
        Takes an array of the shape of `x` and returns one number.
    x : float64 array of any shape
        Where to differentiate. `f` may be called on `x` itself or on copies;
        afterwards `x` is exactly what it was.
    eps : float
        How far each entry is moved, in either direction.

    Returns
    -------
    float64 array of the shape of `x`
        (f(x + eps) - f(x - eps)) / (2 * eps) for each entry, the others held fixed.

    Source: Nocedal and Wright, Numerical Optimization, equation 8.7.
    """
    # BEGIN SOLUTION NO PROMPT
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + eps
        up = f(x)
        x[index] = kept - eps
        down = f(x)
        x[index] = kept
        gradient[index] = (up - down) / (2 * eps)
    return gradient
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: for each entry of x, the central difference
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION

# %% [markdown]
# **Look at it.** Left: the error of the derivative of $\sum_i \sin x_i$ for many $\epsilon$. Your dots
# should form a V along the two thin lines, which are the two terms of the formula. The crosses are
# one-sided differences: half as many good digits. Right: all gradients of a network with 3 inputs, 4 hidden
# neurons and 2 outputs, from your `backward` and from your `numerical_gradient`. If both are right, all
# dots are on the diagonal.

# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.6))
point = np.array([0.4, 1.0, 2.2])
steps = np.logspace(-12, 0, 49)
left.loglog(steps, steps**2 / 6, color=GREY, lw=1)
left.loglog(steps, 1.1e-16 / steps, color=GREY, lw=1)
left.text(2.5e-2, 3e-7, r"$\epsilon^2/6$", color=GREY)
left.text(1.3e-12, 1.2e-6, r"$u/\epsilon$", color=GREY)
forward_difference = [np.max(np.abs((np.sin(point + e) - np.sin(point)) / e - np.cos(point))) for e in steps]
left.loglog(steps, forward_difference, "x", ms=4, color="#d08a1d", label="one-sided")
if yours(numerical_gradient, lambda v: np.sin(v).sum(), point.copy()) is None:
    to_do(left, "numerical_gradient")
else:
    central = [numerical_gradient(lambda v: np.sin(v).sum(), point.copy(), e) for e in steps]
    errors = [max(np.max(np.abs(found - np.cos(point))), 1e-16) for found in central]
    left.loglog(steps, errors, "o", ms=4, color=BLUE, label="yours")
left.axvline(1e-5, color=GREEN, lw=1, ls=":")
left.set(xlabel=r"$\epsilon$", ylabel="largest error", ylim=(1e-13, 3), title="Steps too small and too large")
left.legend(loc="upper center")


def gradients_both_ways(rng):
    """(from backward, from numerical_gradient) for each parameter of a random network."""
    params, X, y = init_params(3, 4, 2, rng), rng.standard_normal((5, 3)), rng.uniform(size=(5, 2))
    by_hand = backward(params, forward(params, X)[1], y)
    for name in params:

        def loss(value, name=name):
            return half_sse(forward({**params, name: value}, X)[0], y)

        yield name, by_hand["d" + name], numerical_gradient(loss, params[name])


pairs = yours(lambda: list(gradients_both_ways(np.random.default_rng(7))))
if pairs is None:
    to_do(right, "questions 3 to 5")
else:
    for (name, hand, number), colour in zip(pairs, (BLUE, "#7fb0e6", RED, "#eba08f"), strict=True):
        right.plot(hand.ravel(), number.ravel(), "o", ms=6, mec="white", color=colour, label=f"d{name}")
        right.axline((0, 0), slope=1, color=GREY, lw=0.8, zorder=0)
    worst = max(np.max(np.abs(hand - number)) for _, hand, number in pairs)
    right.legend(loc="upper left")
    note = f"largest difference: {worst:.0e}"
    right.text(0.97, 0.05, note, transform=right.transAxes, ha="right", color=GREY)
right.set(xlabel="your backward", ylabel="your numerical gradient", title="The gradient check")
right.locator_params(nbins=5)
plt.show()

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q6
# title: Learning XOR
# points: 4
# names: [train]
# hints:
#   - "You have all the parts: init_params once, then in each epoch forward, note the loss, backward,
#     update. How many inputs and outputs there are is in the shapes of X and y."
#   - "losses[i] belongs to the parameters before update i, and it is np.mean((y_hat - y) ** 2). The update
#     subtracts lr times the gradient from every parameter, biases too, after all gradients are computed."
#   - "params = init_params(X.shape[1], n_hidden, y.shape[1], rng); then epochs times: y_hat, cache =
#     forward(params, X); losses.append(np.mean((y_hat - y) ** 2)); g = backward(params, cache, y); for k in
#     params: params[k] = params[k] - lr * g['d' + k]."

# %% [markdown]
# ## 6. Learning XOR
#
# Now put the parts together. **Full-batch gradient descent** uses all examples in each step:
#
# > draw parameters; then in each epoch: forward, note the loss, backward,
# > $\theta \leftarrow \theta - \eta\,\partial E/\partial\theta$ for every parameter $\theta$.
#
# The gradient is that of the half *sum* of squares. What you *record* is the **mean** over all entries of
# the squared error (MSE), because a mean can be compared between data sets of different size. `losses[i]`
# is the value **before** update $i$, so `losses[0]` belongs to the random start, and `epochs=0` returns the
# untrained parameters with no losses.
#
# **What to expect.** On XOR with 4 hidden neurons, $\eta = 0.1$ and 10,000 epochs, the course notes reached
# an MSE of 0.00197 at epoch 8,000 and the outputs 0.036, 0.964, 0.961, 0.039. Of 20,000 random starts half
# end below 0.00195 and 99 % below 0.00475, but 0.35 % are still stuck above 0.1: the loss surface has
# plateaus, and where you start matters. At first the loss falls to 0.25, quickly, and rests
# there. That is what answering $\tfrac12$ every time costs, and it is the best that any network *without* a
# hidden layer can do. Then the hidden neurons find their lines.

# %% [raw]
# # BEGIN SOLUTION


# %%
def train(X: np.ndarray, y: np.ndarray, n_hidden: int, epochs: int, lr: float, rng: np.random.Generator):
    """Train a two-layer network with full-batch gradient descent on `half_sse`.

    Parameters
    ----------
    X : float64 array (N, n_in)
        Inputs; not modified.
    y : float64 array (N, n_out)
        Targets between 0 and 1; not modified.
    n_hidden : int
        Number of hidden neurons.
    epochs : int
        Number of updates; may be 0.
    lr : float
        Learning rate.
    rng : np.random.Generator
        Draws the initial parameters.

    Returns
    -------
    params : dict
        W1, b1, W2, b2 after the last update.
    losses : list or array of `epochs` numbers
        losses[i] is the mean over all entries of (y_hat - y)**2 before update i.
    """
    # BEGIN SOLUTION NO PROMPT
    params = init_params(X.shape[1], n_hidden, y.shape[1], rng)
    losses = []
    for _ in range(epochs):
        y_hat, cache = forward(params, X)
        losses.append(float(np.mean((y_hat - y) ** 2)))
        gradients = backward(params, cache, y)
        for name in params:
            params[name] -= lr * gradients["d" + name]
    return params, losses
    # END SOLUTION
    """ # BEGIN PROMPT
    # TODO: initialise; then, epochs times: forward, note the loss, backward, update
    raise NotImplementedError
    """; # END PROMPT


# %% [raw]
# # END SOLUTION

# %% [markdown]
# **Look at it.** Left: your training curve over the range in which 90 % of 20,000 random starts lie (both
# axes logarithmic). Right: your trained network over the plane. The dashed lines are where your hidden
# neurons switch ($a_1 = 0$). Which of them cut the true corners from the false ones? Then change `SEED` and
# look again: there are several solutions. If your weights are drawn in the order W1, W2, then `SEED = 158`
# meets a start that gets stuck.

# %% tags=["otter_ignore"]
SEED = 1
result = yours(train, XOR_X, XOR_y, 4, 10_000, 0.1, np.random.default_rng(SEED))
if result is not None:
    params, losses = result
    print(f"MSE at epoch 8,000: {losses[8000]:.5f} (notes: 0.00197)   last: {losses[-1]:.5f}")
    for x, y_hat in zip(XOR_X, forward(params, XOR_X)[0], strict=True):
        print(f"  {x[0]:.0f} xor {x[1]:.0f} -> {y_hat[0]:.3f}")

# %% tags=["otter_ignore"] jupyter={"source_hidden": true}
# 5 %, 50 % and 95 % points of the loss over 20,000 starts of the reference solution.
KNOTS = [1, 2, 4, 8, 16, 32, 63, 126, 251, 501, 1000, 1585, 1995, 2512, 3162, 3981, 5012, 6310, 7943, 10000]
LOW = [
    0.25,
    0.25,
    0.25,
    0.249,
    0.247,
    0.244,
    0.241,
    0.236,
    0.227,
    0.204,
    0.131,
    0.0486,
    0.0267,
    0.0155,
    0.00962,
    0.00626,
    0.00424,
    0.00294,
    0.00208,
    0.00149,
]
MID = [
    0.278,
    0.276,
    0.273,
    0.267,
    0.26,
    0.254,
    0.25,
    0.25,
    0.247,
    0.24,
    0.214,
    0.162,
    0.112,
    0.0543,
    0.0243,
    0.0122,
    0.00695,
    0.00431,
    0.00284,
    0.00195,
]
HIGH = [
    0.392,
    0.389,
    0.382,
    0.367,
    0.336,
    0.285,
    0.261,
    0.256,
    0.253,
    0.25,
    0.249,
    0.245,
    0.235,
    0.204,
    0.152,
    0.074,
    0.0224,
    0.00939,
    0.00502,
    0.00306,
]
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.9), width_ratios=[1.25, 1])
left.fill_between(KNOTS, LOW, HIGH, color=GREY, alpha=0.25, lw=0, label="90 % of starts")
left.plot(KNOTS, MID, color=GREY, lw=1, label="median")
left.plot(8000, 0.00197, "*", ms=11, color="#d08a1d", label="course notes")
left.axhline(0.25, color="black", lw=0.6, ls=":")
left.text(1.1, 0.205, r"0.25: always answering $\frac{1}{2}$", fontsize=8, va="top")
left.set(xscale="log", yscale="log", xlim=(1, 12000), xlabel="epoch", ylabel="mean squared error")
left.set_title("Learning XOR")
if result is None:
    to_do(right, "train")
else:
    left.plot(np.arange(1, len(losses) + 1), losses, color=BLUE, lw=2, label=f"yours (seed {SEED})")
    fig.colorbar(draw_surface(right, params), ax=right, label=r"output $\hat y$", ticks=[0, 0.5, 1])
    for (u, v), bias in zip(params["W1"].T, params["b1"][0], strict=True):
        a1 = u * plane[:, 0] + v * plane[:, 1] + bias
        a1 = a1.reshape(len(side), -1)
        right.contour(side, side, a1, levels=[0], colors="black", linestyles="--", linewidths=0.8)
    right.set(ylabel="$x_2$", title=f"Your network (seed {SEED})")
left.legend(loc="lower left")
plt.show()

# %% [raw]
# # END QUESTION

# %% [markdown]
# ## What to take away
#
# - Backpropagation is the chain rule with book-keeping: local derivatives, multiplied from the loss
#   backwards, each intermediate result computed once.
# - A gradient has the shape of what it belongs to. Broadcasting forward means summing backward. A product
#   $XW$ forward means a product with a transpose backward.
# - Each sigmoid on the way back multiplies by at most $\tfrac14$. Stack ten of them and little is left: one
#   reason why deep networks use other activations and residual connections, which you will meet later in
#   this course.
# - Never trust a gradient that you have not checked with central differences.
#
# **To play with** (not graded). What happens with `n_hidden=2`, or 1? With all weights starting at zero? With
# $\eta = 5$? Record the size of `dW1` and `dW2` during training: which layer learns first?
#
# ## Further reading
#
# - D. E. Rumelhart, G. E. Hinton, R. J. Williams: *Learning representations by back-propagating errors.*
#   Nature 323, 533-536 (1986). Four pages; you have just implemented them.
# - Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller: *Efficient BackProp.* In: Neural Networks: Tricks of the
#   Trade, Springer (1998). Why inputs are normalised, why tanh, how to choose the initial weights and the
#   learning rate.
# - M. Minsky, S. Papert: *Perceptrons.* MIT Press (1969). What one layer cannot do.
# - X. Glorot, Y. Bengio: *Understanding the difficulty of training deep feedforward neural networks.*
#   AISTATS (2010). What saturated sigmoids do to deep networks.
# - A. G. Baydin, B. A. Pearlmutter, A. A. Radul, J. M. Siskind: *Automatic differentiation in machine
#   learning: a survey.* JMLR 18 (2018). How frameworks do today's work for you.
# - J. Nocedal, S. J. Wright: *Numerical Optimization*, chapter 8. Springer (2006). Finite differences, and
#   their best step.
# - M. Mazur: *A step by step backpropagation example* (2015), the source of the worked numbers in sections
#   3 and 4.
