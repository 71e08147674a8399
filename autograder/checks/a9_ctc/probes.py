"""What must run beside the student's code: training runs, and library stand-ins for earlier questions."""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F

_FORCED_ALL_ROWS = 20
_NEVER = -1000.0  # exp underflows to zero, and differences of it stay finite


def library_collapse(path, blank=0):
    """The library's merging of repeats, in place of the student's collapse."""
    return [k for k in torch.unique_consecutive(torch.as_tensor(path, dtype=torch.int64)).tolist() if k != blank]


def library_extend(labels, blank=0):
    """The extended labels, in place of the student's."""
    spread = torch.full((2 * len(labels) + 1,), blank)
    spread[1::2] = torch.as_tensor(labels, dtype=torch.int64)
    return spread.tolist()


def library_min_time_steps(labels):
    """The length of the shortest path, in place of the student's."""
    return len(labels) + int((torch.as_tensor(labels, dtype=torch.int64).diff() == 0).sum())


def library_ctc_loss(log_probs, labels, blank=0, **_extra):
    """The library's loss of one sample, in place of the student's."""
    return library_ctc_loss_batch(log_probs[:, None], _row(labels), [len(log_probs)], [len(labels)], blank, "sum")


def library_ctc_loss_batch(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", **_extra):
    """The library's loss of a batch, in place of the student's; it is quick, too.

    Whatever else the student's function may take is no concern of the library's.
    """
    lengths = [torch.as_tensor(item, dtype=torch.int64).cpu() for item in (input_lengths, target_lengths)]
    return F.ctc_loss(log_probs, targets.to(log_probs.device), *lengths, blank, reduction)


def library_alpha(log_probs, labels, blank=0):
    """The library's forward variables, in place of the student's; they can be differentiated."""
    return _LibraryAlpha.apply(log_probs, tuple(int(k) for k in labels), blank)


def library_alpha_value(log_probs, labels, blank=0):
    """The library's forward variables, without what a gradient could be read from."""
    return library_alpha(log_probs.detach(), labels, blank)


def library_ctc_loss_value(log_probs, labels, blank=0, **extra):
    """The library's loss of one sample, likewise."""
    return library_ctc_loss(log_probs.detach(), labels, blank, **extra)


class _LibraryAlpha(torch.autograd.Function):
    """The table that the library's loss keeps inside; its gradient comes from losses of beginnings.

    Entry (t, s) is minus the loss of the first t + 1 steps, the last of them forced into the class of state s, for
    the labels up to s. All gradients are found in the forward pass, where the grader's operators are not recorded.
    """

    @staticmethod
    def forward(ctx, log_probs, labels, blank):
        logs = log_probs.detach().double().cpu()
        steps, classes = logs.shape
        loss_and_alpha = torch._ctc_loss(logs[:, None], _row(labels), [steps], [len(labels)], blank)
        alpha = loss_and_alpha[1][0, :, : 2 * len(labels) + 1]
        rows = range(steps) if steps <= _FORCED_ALL_ROWS else range(steps - 1, steps)
        places = [(t, s) for t in rows for s in range(alpha.shape[1]) if alpha[t, s] > -torch.inf]
        slopes = torch.zeros(len(places), steps, classes, dtype=torch.float64)
        if log_probs.requires_grad and places:
            spread = library_extend(labels, blank)
            beginnings = logs.expand(len(places), -1, -1).clone()
            for n, (t, s) in enumerate(places):
                beginnings[n, t] = _NEVER
                beginnings[n, t, spread[s]] = logs[t, spread[s]]
            frames = torch.tensor([t + 1 for t, _ in places])
            sizes = torch.tensor([(s + 1) // 2 for _, s in places])
            with torch.enable_grad():
                leaf = beginnings.transpose(0, 1).requires_grad_(True)
                losses = F.ctc_loss(leaf, _row(labels).expand(len(places), -1), frames, sizes, blank, "sum")
                (found,) = torch.autograd.grad(losses, leaf)
            posterior = (leaf.detach().exp() - found).transpose(0, 1)  # the library returns softmax - posterior
            inside = torch.arange(steps) < frames[:, None]
            slopes = torch.where(inside[:, :, None], posterior, 0.0)
        ctx.places, ctx.shape = places, alpha.shape
        ctx.save_for_backward(slopes)
        return alpha.to(log_probs)

    @staticmethod
    def backward(ctx, cotangent):
        (slopes,) = ctx.saved_tensors
        if not ctx.places:
            return torch.zeros_like(slopes.sum(0)).to(cotangent), None, None
        weights = torch.stack([cotangent[t, s] for t, s in ctx.places]).double().cpu()
        return torch.einsum("n,ntc->tc", weights, slopes).to(cotangent), None, None


def _row(labels):
    return torch.as_tensor(labels, dtype=torch.int64).reshape(1, -1)


def loss_and_slopes(student, logits, labels, blank):
    """The student's loss of log_softmax(logits), and its gradient with respect to the logits."""
    leaf = logits.detach().clone().requires_grad_(True)
    loss = student.ctc_loss(leaf.log_softmax(-1), labels, blank)
    return loss.detach(), _slopes(loss, leaf)


def batch_loss_and_slopes(student, logits, targets, input_lengths, target_lengths, blank, reduction, weights):
    """The same for a batch; a loss for each sample is weighted with `weights` first."""
    leaf = logits.detach().clone().requires_grad_(True)
    loss = student.ctc_loss_batch(
        leaf.log_softmax(-1), targets, input_lengths, target_lengths, blank=blank, reduction=reduction
    )
    total = loss if loss.ndim == 0 else (loss * weights).sum()
    return loss.detach(), _slopes(total, leaf)


def _slopes(loss, leaf):
    if not loss.requires_grad:
        return None
    return torch.autograd.grad(loss, leaf, allow_unused=True)[0]


def train(student, images, texts, charset, seed, seconds, remember=False):
    """A network trained by the student's code, and the processor seconds that it took."""
    start = time.process_time()
    model = student.train_crnn(images, texts, charset, seed, seconds)
    if not isinstance(model, torch.nn.Module):
        return None, 0.0
    if remember:
        student.kept["model"] = model
    return model, time.process_time() - start


def last_trained(student):
    """The network of the last training that was to be remembered, if there was one: training is dear."""
    return student.kept.get("model")


def read(student, model, images):
    """The outputs of a trained network for images, in eval mode."""
    with torch.no_grad():
        return model.eval()(images)


def outputs_one_by_one(student, num_classes, images):
    """The outputs of a new CRNN for a batch of images, and for each image alone, in eval mode and float64."""
    model = student.CRNN(num_classes, height=images.shape[2]).to(device=images.device, dtype=torch.float64).eval()
    with torch.no_grad():
        return model(images), [model(images[n : n + 1]) for n in range(len(images))]
