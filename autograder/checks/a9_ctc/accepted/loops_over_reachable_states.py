# Unusual: plain loops; only predecessors that exist enter a logsumexp, so that no -inf meets another.
def ctc_alpha(log_probs, labels, blank=0):
    states = extend(labels, blank)
    T, S = len(log_probs), len(states)
    cells = [[None] * S for _ in range(T)]
    for t in range(T):
        for s, k in enumerate(states):
            if t == 0:
                if s < 2:
                    cells[0][s] = log_probs[0, k]
                continue
            before = [cells[t - 1][s]]
            if s >= 1:
                before.append(cells[t - 1][s - 1])
            if s >= 2 and k != blank and k != states[s - 2]:
                before.append(cells[t - 1][s - 2])
            before = [value for value in before if value is not None]
            if before:
                cells[t][s] = torch.logsumexp(torch.stack(before), 0) + log_probs[t, k]
    nothing = log_probs.new_tensor(-math.inf)
    return torch.stack([torch.stack([nothing if value is None else value for value in row]) for row in cells])


def ctc_loss(log_probs, labels, blank=0):
    if len(log_probs) < min_time_steps(labels):
        return log_probs.new_tensor(math.inf)
    last = ctc_alpha(log_probs, labels, blank)[-1]
    ends = [value for value in last[-2:] if value > -math.inf]
    return -torch.logsumexp(torch.stack(ends), 0)


def ctc_loss_batch(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean"):
    losses = []
    for n, (frames, size) in enumerate(zip(input_lengths.tolist(), target_lengths.tolist(), strict=True)):
        losses.append(ctc_loss(log_probs[:frames, n], targets[n, :size].tolist(), blank))
    losses = torch.stack(losses)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return (losses / target_lengths.clamp(min=1)).mean()
