# Full-batch Adam in float32 with a falling rate, a random start, and centred features whose mean goes into the bias.
def linear_probe(features, labels, num_classes, seed, l2):
    generator = torch.Generator().manual_seed(seed)
    mean = features.mean(0)
    x = features - mean
    weight = (0.01 * torch.randn(num_classes, x.shape[1], generator=generator)).requires_grad_()
    bias = torch.zeros(num_classes, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=0.05)
    steps = 1500
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(x @ weight.T + bias, labels) + l2 * torch.sum(weight**2)
        loss.backward()
        optimizer.step()
        schedule.step()
    probe = nn.Linear(x.shape[1], num_classes)
    probe.weight.data = weight.detach()
    probe.bias.data = bias.detach() - weight.detach() @ mean
    return probe
