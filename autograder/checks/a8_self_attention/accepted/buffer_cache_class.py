# Unusual: the cache is an object with buffers allocated in advance; attention takes dropout itself; bmm on merged axes.
class Buffers:
    def __init__(self, like, n_heads, size=64):
        batch, _, d_model = like.shape
        self.k, self.v = torch.zeros(2, batch, n_heads, size, d_model // n_heads, dtype=like.dtype, device=like.device)
        self.t = 0

    def add(self, k, v):
        self.k[:, :, self.t], self.v[:, :, self.t] = k[:, :, 0], v[:, :, 0]
        self.t += 1
        return self.k[:, :, : self.t], self.v[:, :, : self.t]


def attention(q, k, v, mask=None, dropout_p=0.0, training=False):
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(mask == 0, float("-inf"))
    weights = softmax(scores, dim=-1)
    return F.dropout(weights, dropout_p, training) @ v, weights


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0):
        super().__init__()
        self.num_heads, self.dropout = n_heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        nn.init.kaiming_uniform_(self.in_proj_weight, a=5**0.5)
        nn.init.zeros_(self.in_proj_bias)

    def qkv(self, x):
        b, n, d = x.shape
        packed = torch.einsum("bnd,ed->bne", x, self.in_proj_weight) + self.in_proj_bias
        return packed.view(b, n, 3, self.num_heads, d // self.num_heads).permute(2, 0, 3, 1, 4).unbind(0)

    def forward(self, x, mask=None):
        q, k, v = self.qkv(x)
        if mask is not None:
            mask = mask.view(-1, 1, *mask.shape[-2:])
        out, _ = attention(q, k, v, mask, self.dropout, self.training)
        return self.out_proj(out.permute(0, 2, 1, 3).contiguous().view(x.shape))


def decode_step(mha, x_t, cache):
    cache = cache or Buffers(x_t, mha.num_heads)
    q, k, v = mha.qkv(x_t)
    out, _ = attention(q, *cache.add(k, v))
    return mha.out_proj(out.transpose(1, 2).reshape(x_t.shape)), cache
