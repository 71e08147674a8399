# RoPE as a product of complex numbers in single precision, the table by exp(log) in doubles, biases by torch.where.
def sinusoidal(max_len, d_model, base=10000.0):
    t = torch.arange(max_len, dtype=torch.float64).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, d_model, 2).double() * (-math.log(base) / d_model))
    phases = torch.polar(torch.ones(max_len, len(frequency), dtype=torch.float64), t * frequency)
    return torch.stack([phases.imag, phases.real], dim=2).reshape(max_len, -1)[:, :d_model].to(torch.float32)


def rope(x, positions, base=10000.0):
    d = x.size(-1)
    if d % 2 != 0:
        raise ValueError("odd number of features")
    frequency = 1.0 / (base ** (torch.arange(0, d, 2, device=x.device).float() / d))
    angle = torch.outer(positions.float(), frequency)
    turn = torch.polar(torch.ones_like(angle), angle)
    z = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(z * turn).flatten(-2).type_as(x)


def alibi_bias(n_heads, n, causal=True):
    def of_power(m):
        start = 2 ** (-(2 ** -(math.log2(m) - 3)))
        return [start * start**i for i in range(m)]

    def slopes(h):
        if math.log2(h).is_integer():
            return of_power(h)
        m = 2 ** math.floor(math.log2(h))
        return of_power(m) + slopes(2 * m)[0::2][: h - m]

    s = torch.tensor(slopes(n_heads)).view(-1, 1, 1)
    i, j = torch.arange(n).view(-1, 1), torch.arange(n).view(1, -1)
    if not causal:
        return -s * (i - j).abs()
    return torch.where(j <= i, -s * (i - j), torch.tensor(float("-inf")))
