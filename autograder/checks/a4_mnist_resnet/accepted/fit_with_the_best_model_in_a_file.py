# The best model so far lies in a file, as a whole; the optimiser is plain SGD.
def fit(model, train_loader, val_loader, epochs, lr, device, seed):
    torch.manual_seed(seed)
    optimizer, stopper = torch.optim.SGD(model.parameters(), lr), EarlyStopping()
    history = {"train_loss": [], "val_loss": [], "val_accuracy": []}
    for _ in range(epochs):
        history["train_loss"].append(train_one_epoch(model, train_loader, optimizer, device))
        model.eval()
        with torch.no_grad():
            z, y = (torch.cat(part) for part in zip(*[(model(a.to(device)), b.to(device)) for a, b in val_loader]))  # noqa: B905
        history["val_loss"].append(F.cross_entropy(z, y).item())
        history["val_accuracy"].append((z.argmax(1) == y).float().mean().item())
        if history["val_loss"][-1] == min(history["val_loss"]):
            torch.save(model, "best_model.pt")
        if stopper.step(history["val_loss"][-1]):
            break
    model.load_state_dict(torch.load("best_model.pt", weights_only=False).state_dict())
    return history
