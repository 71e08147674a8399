# Tensors by way of NumPy (float64 from a list of floats), columns by masks, joining into an empty tensor.
def make_tensors(data, array):
    from_list = torch.from_numpy(np.array(data))
    shared = torch.from_numpy(array)
    copied = torch.from_numpy(array.copy())
    ones_like = torch.ones(from_list.shape, dtype=from_list.dtype)
    return from_list, shared, copied, ones_like, torch.empty(from_list.shape, dtype=torch.float32).fill_(0)


def pick(t):
    rows = [i for i in range(t.shape[0]) if i % 2 == 0]
    flat = t.flatten()
    return t[0, :].clone(), t.T[-1], t[rows], flat[torch.nonzero(flat > 0).squeeze(1)]


def zero_column(t, j):
    keep = torch.ones(t.shape[1], dtype=t.dtype, device=t.device)
    keep[j] = 0
    return t * keep


def join(a, b, dim):
    dim = dim % a.ndim
    shape = list(a.shape)
    shape[dim] += b.shape[dim]
    out = a.new_empty(shape)
    out.narrow(dim, 0, a.shape[dim]).copy_(a)
    out.narrow(dim, a.shape[dim], b.shape[dim]).copy_(b)
    return out
