# Eigenvectors of the covariance; all matchings tried.
import itertools


def pca(X, n_components):
    mu = X.mean(0)
    values, vectors = np.linalg.eigh(np.cov(X.T))
    order = np.argsort(values)[::-1]
    V = vectors[:, order][:, :n_components]
    for j in range(V.shape[1]):
        if V[np.argmax(np.abs(V[:, j])), j] < 0:
            V[:, j] *= -1
    return (X - mu).dot(V), V.T.copy(), values[order][:n_components] / np.trace(np.cov(X.T))


def cluster_accuracy(labels, y):
    n = int(max(max(labels), max(y))) + 1
    return max(
        sum(p[int(a)] == int(b) for a, b in zip(labels, y, strict=True)) for p in itertools.permutations(range(n))
    ) / len(y)
