# Unusual: softmax is an autograd Function with softmax_vjp as its backward pass.
plain_softmax = softmax


class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, dim):
        s = plain_softmax(x, dim)
        ctx.save_for_backward(s)
        ctx.dim = dim
        return s

    @staticmethod
    def backward(ctx, g):
        (s,) = ctx.saved_tensors
        return softmax_vjp(s, g, ctx.dim), None


def own_softmax(x, dim):
    return Softmax.apply(x, dim)


def attention(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = own_softmax(scores, -1)
    return weights @ v, weights
