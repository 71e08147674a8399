# Unusual: the sum is clamped; masked scores get the smallest finite number, and the weights are zeroed afterwards.
def softmax(x, dim):
    top, _ = torch.max(x, dim, keepdim=True)
    top = torch.where(torch.isfinite(top), top, torch.zeros_like(top))
    e = (x - top).exp()
    return e / e.sum(dim, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)


def attention(q, k, v, mask=None):
    scores = (q / q.shape[-1] ** 0.5) @ k.mT
    if mask is None:
        weights = softmax(scores, -1)
    else:
        weights = softmax(scores.masked_fill(mask.logical_not(), torch.finfo(scores.dtype).min), -1)
        weights = weights * mask.to(weights.dtype)
    return weights @ v, weights


def padding_mask(lengths, n):
    steps = torch.arange(n).repeat(len(lengths), 1)
    return steps < torch.as_tensor(lengths).reshape(-1, 1)


def attention_vjp(q, k, v, mask, grad_out):
    scale = q.shape[-1] ** -0.5
    scores = q @ k.mT * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    p = softmax(scores, -1)
    # FlashAttention's form of the sum: rowsum(dO * O)
    delta = (grad_out * (p @ v)).sum(-1, keepdim=True)
    ds = p * (grad_out @ v.mT - delta)
    return ds @ k * scale, ds.mT @ q * scale, p.mT @ grad_out
