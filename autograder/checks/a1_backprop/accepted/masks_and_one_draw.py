# The sigmoid by boolean masks; all weights from one draw; the cache a tuple; results as NumPy scalars and 0-d arrays.
def linear_neuron_step(x, w, target, lr):
    x, w, target, lr = (np.asarray(value) for value in (x, w, target, lr))
    error = target - w * x
    slope = -2 * x * error
    return [np.asarray(error * error), slope, np.asarray(w - lr * slope)]


def sigmoid(x):
    s = np.empty_like(x)
    positive = x >= 0
    s[positive] = 1 / (1 + np.exp(-x[positive]))
    power = np.exp(x[~positive])
    s[~positive] = power / (1 + power)
    return s


def init_params(n_in, n_hidden, n_out, rng):
    numbers = rng.standard_normal(n_in * n_hidden + n_hidden * n_out)
    first, second = np.split(numbers, [n_in * n_hidden])
    return {
        "b2": np.zeros((1, n_out)),
        "W2": second.reshape(n_hidden, n_out),
        "b1": np.zeros((1, n_hidden)),
        "W1": first.reshape(n_in, n_hidden),
    }


def forward(params, X):
    a1 = X.dot(params["W1"]) + params["b1"]
    a2 = sigmoid(a1).dot(params["W2"]) + params["b2"]
    return sigmoid(a2), (X, a1, a2)


def backward(params, cache, y):
    X, a1, a2 = cache
    h, y_hat = sigmoid(a1), sigmoid(a2)
    delta2 = (y_hat - y) * y_hat * (1 - y_hat)
    delta1 = np.einsum("nk,jk->nj", delta2, params["W2"]) * h * (1 - h)
    ones = np.ones((1, len(X)))
    return {
        "db2": ones @ delta2,
        "dW2": np.einsum("nj,nk->jk", h, delta2),
        "db1": ones @ delta1,
        "dW1": np.einsum("ni,nj->ij", X, delta1),
    }


def half_sse(y_hat, y):
    return np.asarray(np.square(y - y_hat).sum() / 2)
