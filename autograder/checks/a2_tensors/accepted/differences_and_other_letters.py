# The Gram matrix by einsum, distances by broadcasting a difference, einsum with an ellipsis.
def gram(t):
    return torch.einsum("ik,jk->ij", t, t)


def pairwise_sq_dists(a, b):
    return (a.unsqueeze(1) - b.unsqueeze(0)).pow(2).sum(dim=-1)


def batched_scores(q, k):
    return torch.einsum("...ie,...je->...ij", [q, k])
