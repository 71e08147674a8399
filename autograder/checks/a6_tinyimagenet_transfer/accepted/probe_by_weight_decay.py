# The penalty as weight decay of the optimiser, twice l2 and for the weight alone; nn.Module's own start.
def linear_probe(features, labels, num_classes, seed, l2):
    torch.manual_seed(seed)
    model = nn.Linear(features.shape[1], num_classes)
    scale = float(features.square().sum(1).mean())
    optimizer = torch.optim.SGD(
        [{"params": [model.weight], "weight_decay": 2 * l2}, {"params": [model.bias], "weight_decay": 0.0}],
        lr=2.0 / (scale / 2 + 1 + 2 * l2),
        momentum=0.95,
        nesterov=True,
    )
    for _ in range(4000):
        optimizer.zero_grad()
        F.cross_entropy(model(features), labels).backward()
        optimizer.step()
    return model
