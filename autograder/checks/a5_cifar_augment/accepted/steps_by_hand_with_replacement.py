# Momentum written out without an optimiser; batches drawn with replacement.
def train(model, data, steps, augment, seed, device, batch_size=64):
    rng = np.random.default_rng(seed)
    g = torch.Generator(device=device).manual_seed(seed)
    speed = [torch.zeros_like(p) for p in model.parameters()]
    losses, rates = [], []
    model.train()
    for step in range(steps):
        rows = torch.from_numpy(rng.integers(len(data["x_train"]), size=batch_size))
        x, y = data["x_train"][rows].to(device).float() / 255, data["y_train"][rows].to(device)
        if augment:
            x = cutout(color_jitter(random_crop_flip(x, 3, g), 0.2, 0.2, g), 6, g)
        lr = cosine_lr(step, steps, 0.08, warmup_steps=max(1, steps // 8), min_lr=1e-4)
        loss = nn.functional.cross_entropy(model(x), y)
        grads = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for p, v, d in zip(model.parameters(), speed, grads, strict=True):
                v.mul_(0.9).add_(d + 1e-4 * p)
                p.sub_(lr * v)
        losses.append(float(loss))
        rates.append(lr)
    model.eval()
    right = 0
    for i in range(0, len(data["x_test"]), 100):
        with torch.no_grad():
            out = model(data["x_test"][i : i + 100].to(device).float() / 255).cpu()
        right += (out.argmax(1) == data["y_test"][i : i + 100]).sum().item()
    return {"loss": losses, "lr": rates, "test_accuracy": right / len(data["x_test"])}
