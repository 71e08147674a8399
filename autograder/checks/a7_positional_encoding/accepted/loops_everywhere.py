# Python loops over single numbers, lists turned into tensors at the end.
def clock_encoding(t, bases):
    out = []
    weight = 1
    for base in bases:
        out.append((t // weight) % base)
        weight *= base
    return out


def sinusoidal(max_len, d_model, base=10000.0):
    table = []
    for t in range(max_len):
        row = []
        for j in range(d_model):
            angle = t / base ** ((j - j % 2) / d_model)
            row.append(math.sin(angle) if j % 2 == 0 else math.cos(angle))
        table.append(row)
    return torch.tensor(table)


def shift_matrix(k, d_model, base=10000.0):
    if d_model % 2 == 1:
        raise ValueError("odd")
    blocks = []
    for i in range(d_model // 2):
        a = k / base ** (2 * i / d_model)
        blocks.append(torch.tensor([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]))
    return torch.block_diag(*blocks)


def relative_dot(pe):
    return torch.stack([torch.dot(pe[0], row) for row in pe])


def add_positions(x, pe, p, training):
    y = x + pe[: x.shape[-2]]
    return torch.nn.functional.dropout(y, p=p, training=training)


def rope(x, positions, base=10000.0):
    n, d = x.shape[-2:]
    if d % 2:
        raise ValueError("odd")
    rows = []
    for k in range(n):
        t = int(positions[k])
        row = []
        for i in range(d // 2):
            a = t * base ** (-2 * i / d)
            u, v = x[..., k, 2 * i], x[..., k, 2 * i + 1]
            row += [u * math.cos(a) - v * math.sin(a), u * math.sin(a) + v * math.cos(a)]
        rows.append(torch.stack(row, dim=-1))
    return torch.stack(rows, dim=-2)


def alibi_bias(n_heads, n, causal=True):
    m = 1
    while 2 * m <= n_heads:
        m *= 2
    bias = torch.zeros(n_heads, n, n)
    for h in range(n_heads):
        slope = 2.0 ** (-8 * (h + 1) / m) if h < m else 2.0 ** (-4 * (2 * (h - m) + 1) / m)
        for i in range(n):
            for j in range(n):
                bias[h, i, j] = -math.inf if causal and j > i else -slope * abs(i - j)
    return bias
