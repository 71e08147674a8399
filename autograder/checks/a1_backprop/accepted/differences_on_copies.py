# Numerical gradient on copies, one half of eps to either side; losses as an array.
def numerical_gradient(f, x, eps=1e-5):
    unit = np.eye(x.size).reshape(x.size, *x.shape)
    slopes = [(f(x + eps / 2 * step) - f(x - eps / 2 * step)) / eps for step in unit]
    return np.array(slopes, dtype=float).reshape(x.shape)


def train(X, y, n_hidden, epochs, lr, rng):
    params = init_params(X.shape[1], n_hidden, y.shape[1], rng)
    losses = np.full(epochs, np.nan)
    for i in range(epochs):
        y_hat, cache = forward(params, X)
        losses[i] = 2 * half_sse(y_hat, y) / y.size
        for key, slope in backward(params, cache, y).items():
            params[key[1:]] = params[key[1:]] - lr * slope
    return params, losses
