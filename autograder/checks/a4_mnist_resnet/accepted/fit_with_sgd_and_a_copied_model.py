# SGD with momentum and a falling rate, a copy of the whole model, tensors in the history.
class EarlyStopping:
    best = float("inf")
    count = 0

    def __init__(self, patience=10, min_delta=1e-4):
        self.__dict__.update(patience=patience, min_delta=min_delta)

    def step(self, loss):
        improved = self.best - loss > self.min_delta
        self.best, self.count = (loss, 0) if improved else (self.best, self.count + 1)
        return int(self.count == self.patience)


def fit(model, train_loader, val_loader, epochs, lr, device, seed):
    torch.random.manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, epochs))
    history, stop, best = {"train_loss": [], "val_loss": [], "val_accuracy": [], "lr": []}, EarlyStopping(), None
    while len(history["lr"]) < epochs:
        history["train_loss"].append(torch.tensor(train_one_epoch(model, train_loader, optimizer, device)))
        history["lr"].append(falling.get_last_lr()[0])
        falling.step()
        model.eval()
        with torch.no_grad():
            z, y = (torch.cat(part) for part in zip(*[(model(a.to(device)), b.to(device)) for a, b in val_loader]))  # noqa: B905
        history["val_loss"].append(F.cross_entropy(z, y))
        history["val_accuracy"].append((z.argmax(1) == y).float().mean())
        if best is None or history["val_loss"][-1] <= min(history["val_loss"]):
            best = copy.deepcopy(model)
        if stop.step(history["val_loss"][-1].item()):
            break
    model.load_state_dict(best.state_dict())
    return history
