# scatter out of place with a tensor as source; var_mean; the start of the storage from the tensor's own address.
def one_hot(labels, num_classes):
    index = labels.unsqueeze(-1)
    ones = torch.ones(index.shape, device=labels.device)
    return torch.zeros(labels.shape[0], num_classes, device=labels.device).scatter(-1, index, ones)


def standardize(x, dim):
    variance, mean = torch.var_mean(x, dim=dim, keepdim=True)
    return (x - mean) * variance.rsqrt()


def is_view(a, b):
    def start(t):
        return t.data_ptr() - t.storage_offset() * t.element_size()

    return start(a) == start(b)
