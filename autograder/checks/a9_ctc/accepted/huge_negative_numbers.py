# Unusual: -1e30 stands for the logarithm of zero, so that torch.logsumexp never sees -inf and its gradient is fine.
ZERO = -1e30


def ctc_alpha(log_probs, labels, blank=0):
    states = extend(labels, blank)
    S = len(states)
    lp = log_probs[:, states].clamp(min=ZERO)
    nothing = lp.new_full((2,), ZERO)
    forbid = lp.new_tensor([0.0 if s > 1 and states[s] not in (blank, states[s - 2]) else ZERO for s in range(S)])
    row = torch.cat([lp[0, :2], lp.new_full((S,), ZERO)])[:S]
    rows = [row]
    for t in range(1, len(lp)):
        one = torch.cat([nothing[:1], row])[:S]
        two = torch.cat([nothing, row])[:S]
        row = (torch.logsumexp(torch.stack([row, one, two + forbid]), 0) + lp[t]).clamp(min=ZERO)
        rows.append(row)
    return torch.stack(rows)


def ctc_loss(log_probs, labels, blank=0):
    total = torch.logsumexp(ctc_alpha(log_probs, labels, blank)[-1, -2:], 0)
    return torch.where(total < ZERO / 2, math.inf, -total)


def ctc_grad(logits, labels, blank=0):
    logs = logits.log_softmax(1)
    if len(logits) < min_time_steps(labels):
        return torch.zeros_like(logits)
    states = extend(labels, blank)
    alpha = ctc_alpha(logs, labels, blank).double()
    beta = ctc_alpha(logs.flip(0), labels[::-1], blank).double().flip(0, 1)
    joint = alpha + beta - logs[:, states]
    gamma = joint.softmax(1).to(logits.dtype)
    grad = logs.exp()
    for s, k in enumerate(states):
        grad[:, k] -= gamma[:, s]
    return grad
