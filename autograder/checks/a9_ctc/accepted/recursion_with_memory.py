# Unusual: the recursion is written as a function that calls itself and remembers; the edit distance, too.
import functools


def ctc_alpha(log_probs, labels, blank=0):
    states = extend(labels, blank)
    logs = log_probs.double().tolist()

    @functools.cache
    def alpha(t, s):
        if s < 0:
            return -math.inf
        if t == 0:
            return logs[0][states[s]] if s < 2 else -math.inf
        parts = [alpha(t - 1, s), alpha(t - 1, s - 1)]
        if states[s] != blank and s >= 2 and states[s] != states[s - 2]:
            parts.append(alpha(t - 1, s - 2))
        top = max(parts)
        if top == -math.inf:
            return top
        return top + math.log(sum(math.exp(p - top) for p in parts)) + logs[t][states[s]]

    table = [[alpha(t, s) for s in range(len(states))] for t in range(len(logs))]
    return torch.tensor(table, dtype=log_probs.dtype, device=log_probs.device)


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, log_probs, labels, blank):
        labels = list(labels)
        forward = ctc_alpha(log_probs, labels, blank).double()
        total = torch.logsumexp(forward[-1, -2:], 0)
        states = extend(labels, blank)
        backward = ctc_alpha(log_probs.flip(0), labels[::-1], blank).double().flip(0, 1)
        ctx.save_for_backward(log_probs, forward + backward - log_probs[:, states].double() - total)
        ctx.states = states
        return -total.to(log_probs.dtype)

    @staticmethod
    def backward(ctx, g):
        log_probs, gamma = ctx.saved_tensors
        posterior = torch.zeros_like(log_probs)
        for s, k in enumerate(ctx.states):
            posterior[:, k] += gamma[:, s].exp().to(log_probs.dtype)
        return g * (log_probs.exp() - posterior), None, None  # the library's convention, not the plain derivative


def ctc_loss(log_probs, labels, blank=0):
    return _Loss.apply(log_probs, tuple(labels), blank)


def ctc_loss_batch(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean"):
    each = []
    for n in range(log_probs.size(1)):
        each.append(ctc_loss(log_probs[: input_lengths[n], n], targets[n][: target_lengths[n]].tolist(), blank))
    each = torch.stack(each)
    return {
        "none": each,
        "sum": each.sum(),
        "mean": (each / torch.maximum(target_lengths, torch.ones_like(target_lengths))).mean(),
    }[reduction]


def edit_distance(a, b):
    a, b = tuple(a), tuple(b)

    @functools.cache
    def d(i, j):
        if i == 0 or j == 0:
            return i + j
        return min(d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return d(len(a), len(b))
