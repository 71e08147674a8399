# Distances by torch.cdist; the Gram matrix by torch.mm; an einsum whose second operand is transposed before.
def gram(t):
    return torch.mm(t, t.transpose(0, 1))


def pairwise_sq_dists(a, b):
    return torch.cdist(a, b, p=2).square()


def batched_scores(q, k):
    return torch.einsum("abij,abjk->abik", q, k.transpose(2, 3))
