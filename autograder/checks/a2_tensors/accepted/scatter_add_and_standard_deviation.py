# scatter_add of ones; the deviation written out, with a tiny epsilon; storages compared as untyped storages.
def one_hot(labels, num_classes):
    out = torch.zeros((labels.numel(), num_classes), dtype=torch.float32, device=labels.device)
    return torch.scatter_add(out, 1, labels.reshape(-1, 1), torch.ones_like(labels, dtype=torch.float32).reshape(-1, 1))


def standardize(x, dim):
    centred = x - torch.mean(x, dim, keepdim=True)
    n = x.shape[dim]
    deviation = torch.sqrt(centred.pow(2).sum(dim, keepdim=True) / (n - 1))
    return centred / (deviation + 1e-8)


def is_view(a, b):
    first, second = a.untyped_storage(), b.untyped_storage()
    return (first.data_ptr(), first.nbytes()) == (second.data_ptr(), second.nbytes())
