# Unusual: NumPy wherever no gradient is needed, vectors of NumPy in question 1, a beam of rescaled probabilities.
def one_hot_captcha(text, charset, length):
    if len(text) != length or any(c not in charset for c in text):
        raise ValueError("this text does not fit")
    table = np.zeros((length, len(charset)), dtype=np.float32)
    table[np.arange(length), [charset.index(c) for c in text]] = 1
    return table.ravel()


def decode_captcha(vector, charset):
    return "".join(np.array(list(charset))[np.asarray(vector).reshape(-1, len(charset)).argmax(axis=1)])


def collapse(path, blank=0):
    path = np.asarray(path, dtype=int)
    keep = np.ones(len(path), dtype=bool)
    keep[1:] = path[1:] != path[:-1]
    return path[keep & (path != blank)].tolist()


def ctc_grad(logits, labels, blank=0):
    z = logits.detach().cpu().numpy().astype(np.float64)
    logs = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    states = np.array(extend(labels, blank))

    def table(logs, states):
        rows = np.full((len(logs), len(states)), -np.inf)
        rows[0, :2] = logs[0, states[:2]]
        for t in range(1, len(logs)):
            for s in range(len(states)):
                value = np.logaddexp(rows[t - 1, s], rows[t - 1, s - 1] if s else -np.inf)
                if s > 1 and states[s] not in (blank, states[s - 2]):
                    value = np.logaddexp(value, rows[t - 1, s - 2])
                rows[t, s] = value + logs[t, states[s]]
        return rows

    alpha, beta = table(logs, states), table(logs[::-1], states[::-1])[::-1, ::-1]
    total = np.logaddexp.reduce(alpha[-1, -2:])
    if total == -np.inf:
        return torch.zeros_like(logits)
    gamma = np.exp(alpha + beta - logs[:, states] - total)
    posterior = np.zeros_like(z)
    np.add.at(posterior.T, states, gamma.T)
    return torch.from_numpy(np.exp(logs) - posterior).to(logits)


def greedy_decode(log_probs, blank=0):
    return collapse(log_probs.cpu().numpy().argmax(axis=1), blank)


def beam_decode(log_probs, beam_width, blank=0):
    blanks, labels = {(): 1.0}, {}
    for frame in log_probs.double().exp().cpu().numpy():
        new_blanks, new_labels = {}, {}
        for prefix in {**blanks, **labels}:
            pb, pl = blanks.get(prefix, 0.0), labels.get(prefix, 0.0)
            new_blanks[prefix] = (pb + pl) * frame[blank]
            for k, p in enumerate(frame):
                if k == blank:
                    continue
                longer = (*prefix, k)
                if prefix and prefix[-1] == k:
                    new_labels[prefix] = new_labels.get(prefix, 0.0) + pl * p
                    new_labels[longer] = new_labels.get(longer, 0.0) + pb * p
                else:
                    new_labels[longer] = new_labels.get(longer, 0.0) + (pb + pl) * p
        total = {p: new_blanks.get(p, 0.0) + new_labels.get(p, 0.0) for p in {**new_blanks, **new_labels}}
        best = sorted(total, key=total.get, reverse=True)[:beam_width]
        scale = sum(total[p] for p in best)
        blanks = {p: new_blanks.get(p, 0.0) / scale for p in best}
        labels = {p: new_labels.get(p, 0.0) / scale for p in best}
    return list(max(blanks, key=lambda p: blanks[p] + labels[p]))


def edit_distance(a, b):
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    table[:, 0], table[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            change = table[i - 1, j - 1] + (a[i - 1] != b[j - 1])
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, change)
    return int(table[-1, -1])


def cer(refs, hyps):
    return np.sum([edit_distance(r, h) for r, h in zip(refs, hyps, strict=True)]) / np.sum([len(r) for r in refs])
