# as_tensor, clone, full_like; index_select and masked_select; index_fill; torch.concat of a tuple.
def make_tensors(data, array):
    from_list = torch.as_tensor(data)
    shared = torch.as_tensor(array)
    copied = shared.clone()
    return [from_list, shared, copied, torch.full_like(from_list, 1), torch.zeros(tuple(from_list.size()))]


def pick(t):
    n = t.size(0)
    even = torch.arange(0, n, 2, device=t.device)
    return t.select(0, 0), t.select(1, t.size(1) - 1), torch.index_select(t, 0, even), torch.masked_select(t, t.gt(0))


def zero_column(t, j):
    return torch.index_fill(t, 1, torch.tensor([j], device=t.device), 0)


def join(a, b, dim):
    return torch.concat((a, b), dim)
