# A five-point central difference through a flat view of x; a clipped sigmoid whose error stays below 1e-15.
def sigmoid(x):
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-np.clip(x, -60.0, None)))


def numerical_gradient(f, x, eps=1e-5):
    result = np.empty(x.shape)
    for i in range(x.size):
        kept = x.flat[i]
        values = []
        for k in (-2, -1, 1, 2):
            x.flat[i] = kept + k * eps
            values.append(f(x))
        x.flat[i] = kept
        result.flat[i] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * eps)
    return result
