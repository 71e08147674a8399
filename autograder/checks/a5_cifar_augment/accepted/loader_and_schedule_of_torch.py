# A DataLoader, a scheduler of torch, augmentation image by image with torchvision-like calls, accuracies of each pass.
from torch.utils.data import DataLoader, TensorDataset


def train(model, data, steps, augment, seed, device, batch_size=64):
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    loader = DataLoader(
        TensorDataset(data["x_train"], data["y_train"]), batch_size=batch_size, shuffle=True, generator=chance
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: cosine_lr(s, steps, 1.0, steps // 5, 0.01))
    history = {"loss": [], "lr": [], "test_accuracy": []}
    while len(history["loss"]) < steps:
        model.train()
        for x, y in loader:
            if len(history["loss"]) == steps:
                break
            x = x.to(torch.float32).div(255)
            if augment:
                shifts = torch.randint(9, (len(x), 2)).tolist()
                x = torch.stack(
                    [pad_and_crop(img, x.shape[-1], i, j, 4) for img, (i, j) in zip(x, shifts, strict=True)]
                )
                x = torch.stack([hflip(img) if torch.rand(()) < 0.5 else img for img in x])
            optimizer.zero_grad()
            loss = criterion(model(x.to(device)), y.to(device))
            loss.backward()
            history["loss"].append(np.float32(loss.item()))
            history["lr"].append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            guess = model((data["x_test"].float() / 255).to(device)).max(1)[1].cpu()
        history["test_accuracy"].append(np.mean(guess.numpy() == data["y_test"].numpy()))
    return history
