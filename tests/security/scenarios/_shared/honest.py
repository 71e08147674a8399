import torch
from torch import nn


def double(x):
    return 2 * x


class State:
    def __init__(self, n):
        self.n = n


def split_state(n, state=None):
    return (n if state is None else n + state.n), State(n)


class Affine(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return x @ self.weight.T + self.bias
