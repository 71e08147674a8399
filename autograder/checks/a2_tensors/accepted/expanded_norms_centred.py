# Distances after a shift to the mean (less cancellation), by addmm and relu; norms by einsum in one comprehension.
def pairwise_sq_dists(a, b):
    centre = a.mean(0)
    a, b = a - centre, b - centre
    row, column = [torch.einsum("ij,ij->i", m, m) for m in (a, b)]
    return torch.relu(torch.addmm(row[:, None] + column, a, b.mT, alpha=-2))
