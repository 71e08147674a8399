# Unusual: cells in which the student compares with the library, under names that the functions use for themselves.
x = torch.randn(3, 4)
s = F.softmax(x, dim=-1)
weights = torch.softmax(x, dim=0)
q = k = v = torch.randn(2, 3, 4)
out = F.scaled_dot_product_attention(q, k, v)
mha = nn.MultiheadAttention(4, 2, batch_first=True)
scores, exponentials = x.log_softmax(-1), torch.softmax(x, 1)
total, top, g, dim, mask = s.sum(), s.max(), torch.softmax(x, 0), -1, None
