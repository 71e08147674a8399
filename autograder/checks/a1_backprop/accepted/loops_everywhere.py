# Everything by Python loops over single numbers, without a matrix product.
import math


def sigmoid(x):
    result = np.zeros(x.shape)
    for i, value in np.ndenumerate(x):
        result[i] = 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
    return result


def one_layer(rows, W, b):
    result = []
    for row in rows:
        activations = []
        for k in range(len(b)):
            total = b[k]
            for j, value in enumerate(row):
                total += value * W[j][k]
            activations.append(1 / (1 + math.exp(-total)) if total >= 0 else math.exp(total) / (1 + math.exp(total)))
        result.append(activations)
    return result


def forward(params, X):
    rows = X.tolist()
    hidden = one_layer(rows, params["W1"].tolist(), params["b1"][0].tolist())
    outputs = one_layer(hidden, params["W2"].tolist(), params["b2"][0].tolist())
    return np.array(outputs), [rows, hidden, outputs]


def half_sse(y_hat, y):
    total = 0.0
    for a, b in zip(y_hat.ravel(), y.ravel(), strict=True):
        total += (a - b) ** 2 / 2
    return total


def backward(params, cache, y):
    rows, hidden, outputs = cache
    W2 = params["W2"].tolist()
    y = y.tolist()
    n_in, n_hidden, n_out = len(rows[0]), len(W2), len(W2[0])
    dW1 = [[0.0] * n_hidden for _ in range(n_in)]
    dW2 = [[0.0] * n_out for _ in range(n_hidden)]
    db1, db2 = [0.0] * n_hidden, [0.0] * n_out
    for x, h, out, target in zip(rows, hidden, outputs, y, strict=True):
        delta2 = [(o - t) * o * (1 - o) for o, t in zip(out, target, strict=True)]
        for k in range(n_out):
            db2[k] += delta2[k]
        for j in range(n_hidden):
            back = 0.0
            for k in range(n_out):
                dW2[j][k] += h[j] * delta2[k]
                back += delta2[k] * W2[j][k]
            delta1 = back * h[j] * (1 - h[j])
            db1[j] += delta1
            for i in range(n_in):
                dW1[i][j] += x[i] * delta1
    return {"dW1": np.array(dW1), "db1": np.array([db1]), "dW2": np.array(dW2), "db2": np.array([db2])}
