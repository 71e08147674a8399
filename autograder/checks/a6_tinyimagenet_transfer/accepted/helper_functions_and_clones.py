# One helper a phase, inference_mode in the validation, cloned tensors, zero_grad after the step, a list comes back.
def one_phase(model, loader, criterion, optimizer, device):
    losses, hits, sizes = [], [], []
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        out = model(x)
        loss = criterion(out, y)
        if optimizer:
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
        losses.append(loss.detach() * y.numel())
        hits.append(out.argmax(-1).eq(y).sum())
        sizes.append(y.numel())
    return float(sum(losses)) / sum(sizes), int(sum(hits)) / sum(sizes)


def train_model(model, loaders, criterion, optimizer, scheduler, epochs, device):
    history = {"train_loss": [], "train_accuracy": [], "val_loss": [], "val_accuracy": []}
    kept = None
    optimizer.zero_grad()
    for _ in range(epochs):
        model.train()
        a, b = one_phase(model, loaders["train"], criterion, optimizer, device)
        model.eval()
        with torch.inference_mode():
            c, d = one_phase(model, loaders["val"], criterion, None, device)
        for key, value in zip(history, (a, b, c, d), strict=True):
            history[key].append(value)
        if kept is None or d > kept[0]:
            kept = d, {name: value.detach().clone() for name, value in model.state_dict().items()}
        if scheduler:
            scheduler.step()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(kept[1][name])
    return [model, history]
