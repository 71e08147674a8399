# Unusual: probabilities instead of logarithms, rescaled at each step (Rabiner), in the loss and in the gradient.
def _lattice(probs, labels, blank):
    states = torch.tensor(extend(labels, blank), device=probs.device)
    jump = torch.zeros(len(states), dtype=torch.bool, device=probs.device)
    jump[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    return probs[:, states], jump, states


def _forward(emissions, jump):
    row = emissions[0] * (torch.arange(len(jump), device=emissions.device) < 2)
    rows, scales = [], []
    for t in range(len(emissions)):
        if t:
            padded = F.pad(row, (2, 0))
            row = (padded[2:] + padded[1:-1] + torch.where(jump, padded[:-2], 0.0)) * emissions[t]
        scale = row.sum()
        if scale == 0:
            return None, None
        row = row / scale
        rows.append(row)
        scales.append(scale)
    return torch.stack(rows), torch.stack(scales)


def ctc_loss(log_probs, labels, blank=0):
    emissions, jump, _ = _lattice(log_probs.exp(), labels, blank)
    rows, scales = _forward(emissions, jump)
    if rows is None or not rows[-1, -2:].sum() > 0:
        return log_probs.new_tensor(math.inf)
    return -(scales.log().sum() + rows[-1, -2:].sum().log())


def ctc_grad(logits, labels, blank=0):
    probs = logits.double().softmax(1)
    emissions, jump, states = _lattice(probs, labels, blank)
    alpha, _ = _forward(emissions, jump)
    if alpha is None or not alpha[-1, -2:].sum() > 0:
        return torch.zeros_like(logits)
    row = torch.zeros_like(alpha[0])
    row[-2:] = 1.0
    gamma = torch.zeros_like(alpha)
    for t in reversed(range(len(alpha))):
        if t < len(alpha) - 1:
            ahead = F.pad(row * emissions[t + 1], (0, 2))
            skip = F.pad(torch.where(jump, row * emissions[t + 1], 0.0), (0, 2))[2:]
            row = ahead[:-2] + ahead[1:-1] + skip
            row = row / row.sum()
        gamma[t] = alpha[t] * row / (alpha[t] * row).sum()
    posterior = torch.zeros_like(probs).index_add(1, states, gamma)
    return (probs - posterior).to(logits.dtype)
