# The cache is a namedtuple that also carries the weights; backward computes the forward pass anew from it.
from collections import namedtuple

Cache = namedtuple("Cache", "X W1 b1 W2 b2")


def forward(params, X):
    cache = Cache(X, params["W1"], params["b1"], params["W2"], params["b2"])
    return sigmoid(sigmoid(X @ cache.W1 + cache.b1) @ cache.W2 + cache.b2), cache


def backward(params, cache, y):
    h = sigmoid(cache.X @ cache.W1 + cache.b1)
    y_hat = sigmoid(h @ cache.W2 + cache.b2)
    d2 = (y_hat - y) * y_hat * (1 - y_hat)
    d1 = (d2 @ cache.W2.T) * h * (1 - h)
    return {
        "dW1": cache.X.T @ d1,
        "db1": d1.sum(0).reshape(1, -1),
        "dW2": h.T @ d2,
        "db2": d2.sum(0).reshape(1, -1),
    }


def train(X, y, n_hidden, epochs, lr, rng):
    params = init_params(X.shape[1], n_hidden, y.shape[1], rng)
    losses = np.zeros(epochs)
    for i in range(epochs):
        y_hat, cache = forward(params, X)
        losses[i] = ((y_hat - y) ** 2).mean()
        slopes = backward(params, cache, y)
        # New arrays: the cache holds the old ones.
        params = {name: value - lr * slopes["d" + name] for name, value in params.items()}
    return params, losses
