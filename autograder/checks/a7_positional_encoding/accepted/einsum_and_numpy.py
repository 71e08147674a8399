# NumPy for tables and matrices, einsum for products, a Bernoulli mask times the sum, half-angle matrices by blocks.
import itertools

import numpy as np


def clock_encoding(t, bases):
    weights = [1]
    for base in bases:
        weights.append(weights[-1] * base)
    return [t % high // low for low, high in itertools.pairwise(weights)]


def sinusoidal(max_len, d_model, base=10000.0):
    j = np.arange(d_model)
    angle = np.arange(max_len)[:, None] / np.power(base, 2 * (j // 2) / d_model)
    # a cosine is a sine a quarter of a turn ahead
    return torch.from_numpy(np.sin(angle + np.pi / 2 * (j % 2)).astype(np.float32))


def shift_matrix(k, d_model, base=10000.0):
    if d_model & 1:
        raise ValueError(d_model)
    half = d_model // 2
    angle = 0.5 * k * np.power(base, -2.0 * np.arange(half) / d_model)
    c = np.cos(angle) ** 2 - np.sin(angle) ** 2  # the double angle
    s = 2 * np.sin(angle) * np.cos(angle)
    blocks = np.block([[np.diag(c), np.diag(s)], [np.diag(-s), np.diag(c)]])
    place = np.argsort(np.concatenate([np.arange(0, d_model, 2), np.arange(1, d_model, 2)]))
    return torch.tensor(blocks[place][:, place], dtype=torch.float32)


def relative_dot(pe):
    return torch.einsum("nd,d->n", pe, pe[0])


class LearnedPositionalEncoding(nn.Embedding):
    def __init__(self, max_len, d_model):
        super().__init__(max_len, d_model)
        self.register_buffer("order", torch.arange(max_len))

    def forward(self, x):
        n = x.size(-2)
        if n > self.num_embeddings:
            raise ValueError("too long")
        return x + super().forward(self.order[:n])


def add_positions(x, pe, p, training):
    total = x + pe[: x.size(-2), :]
    if training:
        mask = torch.bernoulli(torch.full_like(total, 1 - p))
        total = total * mask / (1 - p)
    return total


def rope(x, positions, base=10000.0):
    d = x.shape[-1]
    if d % 2 == 1:
        raise ValueError(d)
    angle = positions.to(x.dtype)[:, None] * torch.pow(base, -torch.arange(0, d, 2, device=x.device).to(x.dtype) / d)
    c, s = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)  # (n, d/2, 2, 2)
    return torch.einsum("nkij,...nkj->...nki", turn, x.reshape(*x.shape[:-1], d // 2, 2)).reshape(x.shape)
