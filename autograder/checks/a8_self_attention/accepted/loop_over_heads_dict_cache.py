# Unusual: the heads run one after the other on slices of in_proj_weight; F.dropout; the cache is a dict of lists.
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        self.d_model, self.h, self.p = d_model, n_heads, dropout
        self.in_proj_weight = nn.Parameter(torch.randn(3 * d_model, d_model) / d_model**0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)

    def part(self, x, which, head):
        width = self.d_model // self.h
        start = which * self.d_model + head * width
        return x @ self.in_proj_weight[start : start + width].T + self.in_proj_bias[start : start + width]

    def forward(self, x, mask=None):
        heads = []
        for head in range(self.h):
            q, k, v = (self.part(x, which, head) for which in range(3))
            weights = attention(q, k, v, mask)[1]
            heads.append(F.dropout(weights, p=self.p, training=self.training) @ v)
        return self.out_proj(torch.cat(heads, dim=-1))


def decode_step(mha, x_t, cache):
    if cache is None:
        cache = {"k": [[] for _ in range(mha.h)], "v": [[] for _ in range(mha.h)]}
    heads = []
    for head in range(mha.h):
        cache["k"][head].append(mha.part(x_t, 1, head))
        cache["v"][head].append(mha.part(x_t, 2, head))
        k, v = torch.cat(cache["k"][head], 1), torch.cat(cache["v"][head], 1)
        heads.append(attention(mha.part(x_t, 0, head), k, v)[0])
    return mha.out_proj(torch.cat(heads, -1)), cache
