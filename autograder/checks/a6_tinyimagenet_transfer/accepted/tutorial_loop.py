# The loop of torch's own tutorial: a copy in a file, sums as tensors, the size of the data set, tensors in the history.
import os
import tempfile


def step_lr(epoch, base_lr, step_size=7, gamma=0.1):
    for _ in range(step_size, epoch + 1, step_size):
        base_lr = base_lr * gamma
    return base_lr


def train_model(model, loaders, criterion, optimizer, scheduler, epochs, device):
    history = {"train_loss": [], "train_accuracy": [], "val_loss": [], "val_accuracy": [], "lr": []}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "best.pt")
        best = None
        for _ in range(epochs):
            for phase in ["train", "val"]:
                if phase == "train":
                    model.train()
                else:
                    model.eval()
                running_loss, running_corrects = 0.0, 0
                for inputs, labels in loaders[phase]:
                    inputs = inputs.to(device)
                    labels = labels.to(device)
                    optimizer.zero_grad()
                    with torch.set_grad_enabled(phase == "train"):
                        outputs = model(inputs)
                        _, preds = torch.max(outputs, 1)
                        loss = criterion(outputs, labels)
                        if phase == "train":
                            loss.backward()
                            optimizer.step()
                    running_loss += loss.item() * inputs.size(0)
                    running_corrects += torch.sum(preds == labels.data)
                if phase == "train" and scheduler:
                    scheduler.step()
                size = len(loaders[phase].dataset)
                accuracy = running_corrects.double() / size
                history[phase + "_loss"].append(torch.tensor(running_loss / size, dtype=torch.float64))
                history[phase + "_accuracy"].append(accuracy)
                if phase == "val" and (best is None or accuracy > best):
                    best = accuracy
                    torch.save(model.state_dict(), path)
            history["lr"].append(optimizer.param_groups[0]["lr"])
        model.load_state_dict(torch.load(path, weights_only=True))
    return model, history
