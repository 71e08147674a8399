# RoPE as x cos + rotate_every_two(x) sin with repeated tables; slopes recursive; biases cumulated from row to row.
def clock_encoding(t, bases):
    if not bases:
        return []
    return [t % bases[0], *clock_encoding(t // bases[0], bases[1:])]


def sinusoidal(max_len, d_model, base=10000.0):
    pe = torch.zeros(max_len, d_model + d_model % 2, dtype=torch.float64)
    position = torch.arange(0, max_len, dtype=torch.float64).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2, dtype=torch.float64) * -(math.log(base) / d_model))
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)
    return pe[:, :d_model].to(torch.float32)


def shift_matrix(k, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError
    # what moves a whole number of rows of a table, by least squares
    table = sinusoidal_double(d_model, base, 0)
    moved = sinusoidal_double(d_model, base, k)
    return torch.linalg.lstsq(table, moved).solution.T.float()


def sinusoidal_double(d_model, base, first):
    # positions far apart for slow pairs, so that the equations are well posed: one block after the other
    table = torch.zeros(d_model, d_model, dtype=torch.float64)
    for i in range(d_model // 2):
        w = base ** (-2 * i / d_model)
        for row, t in enumerate((0.0, math.pi / (2 * w))):
            a = (t + first) * w
            table[2 * i + row, 2 * i : 2 * i + 2] = torch.tensor([math.sin(a), math.cos(a)], dtype=torch.float64)
    return table


def relative_dot(pe):
    return (pe * pe[:1]).sum(dim=-1)


class LearnedPositionalEncoding(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.max_len = max_len
        self.weight = nn.Parameter(torch.zeros(max_len, d_model))

    def forward(self, x):
        *_, n, _ = x.shape
        if n > self.max_len:
            raise ValueError(f"{n} > {self.max_len}")
        index = torch.arange(n, device=x.device)
        return x + nn.functional.embedding(index, self.weight)


def add_positions(x, pe, p, training):
    out = x + pe.narrow(0, 0, x.shape[-2])
    return nn.Dropout(p).train(training)(out)


def rotate_every_two(x):
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((-b, a), dim=-1).flatten(-2)


def rope(x, positions, base=10000.0):
    if x.shape[-1] % 2:
        raise ValueError("even!")
    inv_freq = 1.0 / (base ** (torch.arange(0, x.shape[-1], 2).float().to(x.device) / x.shape[-1]))
    angle = torch.einsum("i,j->ij", positions.float(), inv_freq).repeat_interleave(2, dim=-1)
    return (x * angle.cos() + rotate_every_two(x) * angle.sin()).to(x.dtype)


def alibi_slopes_recursive(h):
    m = 1 << (h.bit_length() - 1)
    if m == h:
        first = 2.0 ** (-8.0 / h)
        return [first] if h == 1 else [first ** (k + 1) for k in range(h)]
    return alibi_slopes_recursive(m) + alibi_slopes_recursive(2 * m)[::2][: h - m]


def alibi_bias(n_heads, n, causal=True):
    slopes = torch.tensor(alibi_slopes_recursive(n_heads))
    context = torch.arange(n)[:, None]
    memory = torch.arange(n)[None, :]
    bias = slopes[:, None, None] * -torch.abs(memory - context)[None].expand(n_heads, -1, -1)
    if causal:
        bias = bias + torch.full((n, n), -math.inf).triu(1)
    return bias
