# The shares and losses of the batches are added up in float32, as 0-d tensors.
def train_model(model, loaders, criterion, optimizer, scheduler, epochs, device):
    history = {f"{phase}_{what}": [] for phase in ("train", "val") for what in ("loss", "accuracy")}
    best, weights = -1.0, None
    for _ in range(epochs):
        for phase, loader in loaders.items():
            model.train(phase == "train")
            loss_sum, hits, count = torch.tensor(0.0), torch.tensor(0.0), 0
            for x, y in loader:
                x, y = x.to(device), y.to(device)
                with torch.set_grad_enabled(phase == "train"):
                    out = model(x)
                    loss = criterion(out, y)
                if phase == "train":
                    model.zero_grad()
                    loss.backward()
                    optimizer.step()
                loss_sum += loss.detach().cpu().float() * len(y)
                hits += (out.argmax(dim=1) == y).float().mean().cpu() * len(y)
                count += len(y)
            history[phase + "_loss"].append((loss_sum / count).item())
            history[phase + "_accuracy"].append((hits / count).item())
        if scheduler:
            scheduler.step()
        if history["val_accuracy"][-1] > best:
            best = history["val_accuracy"][-1]
            weights = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(weights)
    return model, history
