# Plain loops, greedy k-means++ with the usual trials, a tolerance as scikit-learn's, empty clusters keep their place.
import random


def kmeans(X, k, seed, n_init=10, max_iter=300):
    draw = random.Random(seed)
    results = []
    for _ in range(n_init):
        centres = [X[draw.randrange(len(X))]]
        while len(centres) < k:
            d2 = np.min([np.sum((X - c) ** 2, axis=1) for c in centres], axis=0)
            if d2.sum() <= 0:
                centres.append(X[draw.randrange(len(X))])
                continue
            trials = draw.choices(range(len(X)), weights=d2, k=3)
            centres.append(X[min(trials, key=lambda i: np.minimum(d2, np.sum((X - X[i]) ** 2, axis=1)).sum())])
        c = np.array(centres)
        for _ in range(max_iter):
            labels = np.argmin((X**2).sum(1)[:, None] - 2 * X @ c.T + (c**2).sum(1), axis=1)
            new = np.array([X[labels == j].mean(0) if (labels == j).any() else c[j] for j in range(k)])
            shift = ((new - c) ** 2).sum()
            c = new
            if shift <= 1e-4 * X.var(0).mean():
                break
        labels = np.array([int(np.argmin([np.sum((x - m) ** 2) for m in c])) for x in X])
        results.append((sum(float(np.sum((x - c[j]) ** 2)) for x, j in zip(X, labels, strict=True)), c, labels))
    inertia, c, labels = min(results, key=lambda r: r[0])
    return c, labels.tolist(), inertia
