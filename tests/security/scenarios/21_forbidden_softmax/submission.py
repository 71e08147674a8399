# include: honest
def double(x):
    return 2 * x + 0 * used(x)


# --- variant: getattr
def used(x):
    return getattr(torch, "soft" + "max")(x, -1)


# --- variant: importlib
def used(x):
    import importlib

    return importlib.import_module("torch").softmax(x, -1)


# --- variant: dunder-import
def used(x):
    return __import__("torch").softmax(x, -1)


# --- variant: alias
def used(x):
    from torch import softmax as ordinary

    return ordinary(x, -1)


# --- variant: method
def used(x):
    return x.softmax(-1)


# --- variant: ops
def used(x):
    return torch.ops.aten._softmax(x, -1, False)


# --- variant: module
def used(x):
    return torch.nn.Softmax(dim=-1)(x)


# --- variant: subclass
def used(x):
    class Own(torch.nn.Softmax):
        pass

    return Own(dim=-1)(x)


# --- variant: exec
def used(x):
    space = {"torch": torch, "x": x}
    exec("y = torch.soft" + "max(x, -1)", space)
    return space["y"]


# --- variant: eval
def used(x):
    return eval("torch.soft" + "max(x, -1)")


# --- variant: vars
def used(x):
    return vars(torch)["soft" + "max"](x, -1)


# --- variant: functional
def used(x):
    import torch.nn.functional as F

    return F.log_softmax(x, -1)


# --- variant: special
def used(x):
    return torch.special.softmax(x, -1)


# --- variant: partial
def used(x):
    import functools

    return functools.partial(getattr(torch, "soft" + "max"), dim=-1)(x)


# --- variant: torch-function
def used(x):
    return torch.Tensor.softmax(x, -1)


# --- variant: scipy
def used(x):
    import scipy.special

    return torch.as_tensor(scipy.special.softmax(x.detach().numpy(), -1))


# --- variant: late-binding
def used(x):
    return globals()["hidden_name"](x, -1)


globals()["hidden_name"] = getattr(torch, "soft" + "max")


# --- variant: class-attribute
def used(x):
    return Holder.run(x, -1)


class Holder:
    run = torch.nn.functional.softmax


# --- variant: default-argument
def used(x):
    return helper(x)


def helper(x, function=torch.softmax):
    return function(x, -1)


# --- variant: jit
def used(x):
    return scripted(x)


scripted = torch.jit.trace(getattr(torch.nn, "Soft" + "max")(-1), torch.zeros(3, 4))


# --- variant: attention
def used(x):
    scores = torch.nn.functional.scaled_dot_product_attention(x[None], x[None], x[None])
    return scores[0]


# --- variant: cross-entropy
def used(x):
    target = torch.zeros(x.shape[0], dtype=torch.long)
    return torch.nn.functional.cross_entropy(x, target)


# --- end
