# Unusual: softmax_vjp and attention_vjp multiply by the explicit Jacobian, row by row; einsum in place of matmul.
def softmax_vjp(s, g, dim):
    s_last, g_last = s.movedim(dim, -1), g.movedim(dim, -1)
    jacobian = torch.diag_embed(s_last) - s_last.unsqueeze(-1) * s_last.unsqueeze(-2)
    return torch.einsum("...i,...ij->...j", g_last, jacobian).movedim(-1, dim)


def attention(q, k, v, mask=None):
    scores = torch.einsum("...nd,...md->...nm", q, k) * q.size(-1) ** -0.5
    if mask is not None:
        scores = torch.where(mask, scores, torch.tensor(float("-inf"), dtype=scores.dtype, device=scores.device))
    weights = softmax(scores, dim=-1)
    return torch.einsum("...nm,...me->...ne", weights, v), weights


def attention_vjp(q, k, v, mask, grad_out):
    w = attention(q, k, v, mask)[1]
    jacobian = torch.diag_embed(w) - w.unsqueeze(-1) * w.unsqueeze(-2)
    dw = torch.einsum("...ne,...me->...nm", grad_out, v)
    ds = torch.einsum("...ni,...nij->...nj", dw, jacobian)
    dq = torch.einsum("...nm,...md->...nd", ds, k) / math.sqrt(q.size(-1))
    dk = torch.einsum("...nm,...nd->...md", ds, q) / math.sqrt(q.size(-1))
    return [dq, dk, torch.einsum("...nm,...ne->...me", w, grad_out)]


def causal_mask(n):
    return torch.arange(n)[:, None] >= torch.arange(n)


def padding_mask(lengths, n):
    return torch.stack([torch.arange(n, device=lengths.device) < length for length in lengths])
