# Loops over images, NumPy's generator seeded from torch's, other orders of draws.


def _numpy(generator):
    return np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))


def random_crop_flip(batch, padding, generator):
    rng = _numpy(generator)
    out = []
    for img in batch:
        if rng.random() < 0.5:
            img = hflip(img)
        left, top = rng.integers(0, 2 * padding, endpoint=True, size=2).tolist()
        out.append(pad_and_crop(img, batch.shape[-1], top, left, padding))
    return torch.stack(out)


def color_jitter(batch, brightness, contrast, generator):
    rng = _numpy(generator)
    out = []
    for img in batch:
        c = rng.uniform(max(0, 1 - contrast), 1 + contrast)
        b = rng.uniform(max(0, 1 - brightness), 1 + brightness)
        img = torch.clip(img * b, 0, 1)
        grey = float(0.2989 * img[0].mean() + 0.587 * img[1].mean() + 0.114 * img[2].mean())
        out.append(torch.clip(img * c + grey * (1 - c), 0, 1))
    return torch.stack(out)


def cutout(batch, size, generator):
    rng = _numpy(generator)
    out = batch.clone()
    h, w = batch.shape[-2:]
    for img in out:
        # The centre is the other one of the two middle pixels where the size is even.
        y, x = rng.integers(h) - (size - 1) // 2, rng.integers(w) - (size - 1) // 2
        img[:, max(y, 0) : y + size, max(x, 0) : x + size] = 0
    return out


def mixup(x, y, alpha, num_classes, generator):
    rng = _numpy(generator)
    lam = rng.beta(alpha, alpha) if alpha > 0 else 1
    t = torch.eye(num_classes)[y]
    return x * lam + x.flip(0) * (1 - lam), t * lam + t.flip(0) * (1 - lam)


def cutmix(x, y, alpha, num_classes, generator):
    rng = _numpy(generator)
    lam = rng.beta(alpha, alpha) if alpha > 0 else 1.0
    h, w = x.shape[-2:]
    cut = np.sqrt(1 - lam)
    ch, cw = int(h * cut), int(w * cut)
    cy, cx = rng.integers(h), rng.integers(w)
    y0, y1 = np.clip([cy - ch // 2, cy + ch // 2], 0, h)
    x0, x1 = np.clip([cx - cw // 2, cx + cw // 2], 0, w)
    perm = torch.from_numpy(rng.permutation(len(x)))
    out = x.clone()
    out[:, :, y0:y1, x0:x1] = x[perm, :, y0:y1, x0:x1]
    lam = 1 - (y1 - y0) * (x1 - x0) / (h * w)
    t = torch.eye(num_classes)[y]
    return out, t * lam + t[perm] * (1 - lam)


def soft_cross_entropy(logits, targets, label_smoothing=0.0):
    return nn.CrossEntropyLoss(label_smoothing=label_smoothing)(logits, targets)
