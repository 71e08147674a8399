# scikit-learn finds the minimum; features come as float64 rows of a list; top-5 by sorting.
def extract_features(backbone, loader, device):
    backbone.train(False)
    rows, ys = [], []
    with torch.inference_mode():
        for x, y in loader:
            out = backbone(x.to(device))
            rows.extend(out.reshape(out.shape[0], -1).cpu().clone())
            ys.extend(y.tolist())
    return torch.stack(rows).clone(), torch.tensor(ys)


def linear_probe(features, labels, num_classes, seed, l2):
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=1 / (2 * l2 * len(labels)), max_iter=5000, tol=1e-6, random_state=seed)
    fit.fit(features.double().numpy(), labels.numpy())
    probe = nn.Linear(features.shape[1], num_classes)
    with torch.no_grad():
        probe.weight.copy_(torch.from_numpy(fit.coef_))
        probe.bias.copy_(torch.from_numpy(fit.intercept_))
    return probe


def evaluate_checkpoint(path, build_model, loader, device):
    from deepmarks.checkpoints import load_checkpoint

    model = load_checkpoint(path, build_model()).to(device)
    model.eval()
    ranks = []
    with torch.no_grad():
        for x, y in loader:
            order = model(x.to(device)).cpu().argsort(dim=1, descending=True)
            ranks.append((order == y[:, None]).int().argmax(dim=1))
    ranks = torch.cat(ranks)
    return (ranks == 0).double().mean(), (ranks < 5).double().mean()
