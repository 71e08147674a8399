# train uses none of the other functions, and sigmoid takes an option that forward and backward use.
def sigmoid(x, derivative=False):
    s = np.exp(-np.logaddexp(0.0, -x))
    return s * (1 - s) if derivative else s


def forward(params, X):
    a1 = X @ params["W1"] + params["b1"]
    a2 = sigmoid(a1) @ params["W2"] + params["b2"]
    return sigmoid(a2), {"X": X, "a1": a1, "a2": a2}


def backward(params, cache, y):
    X, a1, a2 = cache["X"], cache["a1"], cache["a2"]
    d2 = (sigmoid(a2) - y) * sigmoid(a2, derivative=True)
    d1 = d2 @ params["W2"].T * sigmoid(a1, derivative=True)
    return {
        "dW1": X.T @ d1,
        "db1": d1.sum(axis=0)[None],
        "dW2": sigmoid(a1).T @ d2,
        "db2": d2.sum(axis=0)[None],
    }


def train(X, y, n_hidden, epochs, lr, rng):
    # The biases are a last row of each matrix, for a last column of ones.
    def with_ones(a):
        return np.hstack([a, np.ones((len(a), 1))])

    V = np.vstack([rng.standard_normal((X.shape[1], n_hidden)), np.zeros((1, n_hidden))])
    U = np.vstack([rng.standard_normal((n_hidden, y.shape[1])), np.zeros((1, y.shape[1]))])
    X, losses = with_ones(X), []
    while len(losses) < epochs:
        h = with_ones(np.tanh(X @ V / 2) / 2 + 0.5)
        out = np.tanh(h @ U / 2) / 2 + 0.5
        losses.append(np.mean((y - out) ** 2))
        d2 = (out - y) * out * (1 - out)
        d1 = (d2 @ U[:-1].T) * (h * (1 - h))[:, :-1]
        U, V = U - lr * h.T @ d2, V - lr * X.T @ d1
    return {"W1": V[:-1], "b1": V[-1:], "W2": U[:-1], "b2": U[-1:]}, losses
