# Results filled in place, results as NumPy integers, rows gathered by index_select, dropout by hand with an empty mask.
import numpy as np


def clock_encoding(t, bases):
    result = [np.int64(0)] * len(bases)
    for k in range(len(bases)):
        result[k] = np.int64(t % bases[k])
        t = t // bases[k]
    return result


def sinusoidal(max_len, d_model, base=10000.0):
    pe = torch.empty((max_len, d_model), dtype=torch.float32)
    t = np.arange(max_len, dtype=np.float64)
    for j in range(d_model):
        angle = t * float(base) ** (-(2 * (j // 2)) / d_model)
        pe[:, j] = torch.from_numpy(np.cos(angle) if j % 2 else np.sin(angle))
    return pe


def shift_matrix(k, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError("d_model")
    freqs = base ** (-torch.arange(0, d_model, 2).float() / d_model)
    M = torch.eye(d_model)
    for i, w in enumerate(freqs):
        a = k * w
        M[2 * i, 2 * i] = torch.cos(a)
        M[2 * i, 2 * i + 1] = torch.sin(a)
        M[2 * i + 1, 2 * i] = -torch.sin(a)
        M[2 * i + 1, 2 * i + 1] = torch.cos(a)
    return M


def relative_dot(pe):
    result = pe.new_zeros(pe.shape[0])
    for k in range(pe.shape[0]):
        result[k] = (pe[0] * pe[k]).sum()
    return result


class LearnedPositionalEncoding(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        weight = torch.empty(max_len, d_model)
        nn.init.xavier_uniform_(weight)
        self.register_parameter("weight", nn.Parameter(weight))

    def forward(self, x):
        if x.shape[-2] > len(self.weight):
            raise ValueError("too many positions")
        return self.weight.index_select(0, torch.arange(x.shape[-2], device=x.device)).expand_as(x) + x


def add_positions(x, pe, p, training):
    y = (x + pe[: x.shape[-2]]).clone()
    if training:
        y[torch.empty_like(y).uniform_() < p] = 0
        y = y.div(1 - p)
    return y


def rope(x, positions, base=10000.0):
    d = x.shape[-1]
    if d % 2:
        raise ValueError("d")
    out = torch.empty_like(x)
    theta = torch.tensor([base ** (-2 * i / d) for i in range(d // 2)], device=x.device)
    a = positions.unsqueeze(-1) * theta
    out[..., 0::2] = x[..., 0::2] * a.cos() - x[..., 1::2] * a.sin()
    out[..., 1::2] = x[..., 1::2] * a.cos() + x[..., 0::2] * a.sin()
    return out


def alibi_bias(n_heads, n, causal=True):
    exponent = math.floor(math.log2(n_heads))
    m = 2**exponent
    ratio = 2 ** (-8 / m)
    slopes = np.cumprod([ratio] * m).tolist()
    ratio = 2 ** (-4 / m)
    slopes += np.cumprod([ratio] * (2 * m))[::2][: n_heads - m].tolist()
    out = torch.zeros(n_heads, n, n, dtype=torch.float32)
    for h, s in enumerate(slopes):
        out[h] -= s * (torch.arange(n).view(n, 1) - torch.arange(n).view(1, n)).abs()
    if causal:
        out[:, torch.ones(n, n).triu(1).bool()] = float("-inf")
    return out
