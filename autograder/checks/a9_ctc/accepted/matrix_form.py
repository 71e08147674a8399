# Unusual: each step is a product with a transition matrix, in log space by taking out the maximum.
def _transitions(labels, blank, like):
    states = extend(labels, blank)
    S = len(states)
    A = torch.eye(S, dtype=like.dtype, device=like.device)
    for s in range(1, S):
        A[s - 1, s] = 1
        if s > 1 and states[s] != blank and states[s] != states[s - 2]:
            A[s - 2, s] = 1
    return torch.tensor(states, device=like.device), A


def _log_matmul(row, A):
    top = row.detach().max()
    if top == -math.inf:
        return row
    product = torch.exp(row - top) @ A
    reached = product > 0
    return torch.where(reached, torch.log(torch.where(reached, product, 1.0)) + top, -math.inf)


def ctc_alpha(log_probs, labels, blank=0):
    # float64 inside: one maximum for a whole row leaves little room below it in float32.
    states, A = _transitions(labels, blank, log_probs.double())
    emissions = log_probs.double()[:, states]
    row = torch.full_like(emissions[0], -math.inf)
    row = torch.cat([emissions[0, :2], row[2:]])
    rows = [row]
    for t in range(1, len(emissions)):
        rows.append(_log_matmul(rows[-1], A) + emissions[t])
    return torch.stack(rows).to(log_probs.dtype)


def ctc_grad(logits, labels, blank=0):
    with torch.no_grad():
        logs = logits.double().log_softmax(1)
        states, A = _transitions(labels, blank, logs)
        alpha = ctc_alpha(logs, labels, blank)
        row = torch.full((len(states),), -math.inf, dtype=logs.dtype, device=logs.device)
        row[-2:] = 0
        joint = []
        for t in reversed(range(len(logs))):
            joint.append(alpha[t] + row)
            row = _log_matmul(row + logs[t, states], A.T)
        joint = torch.stack(joint[::-1])
        total = torch.logsumexp(joint, 1, keepdim=True)
        if total.isinf().any():
            return torch.zeros_like(logits)
        one_hot = F.one_hot(states, logits.shape[1]).to(logs)
        return (logs.exp() - torch.exp(joint - total) @ one_hot).to(logits.dtype)
