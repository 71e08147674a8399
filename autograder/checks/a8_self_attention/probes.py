"""What must run beside the student's code: loops over their modules, and library stand-ins for earlier questions."""

from __future__ import annotations

from unittest import mock

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.forward_ad import _set_fwd_grad_enabled


def library_softmax(x: torch.Tensor, dim: int) -> torch.Tensor:
    """The library's softmax, with zeros for rows of -inf, in place of the student's."""
    empty = (x == -torch.inf).all(dim, keepdim=True)
    return torch.softmax(x.masked_fill(empty, 0.0), dim).masked_fill(empty, 0.0)


def library_softmax_vjp(s: torch.Tensor, g: torch.Tensor, dim: int) -> torch.Tensor:
    """The library's backward pass of the softmax, in place of the student's."""
    return torch.ops.aten._softmax_backward_data(g, s, dim, s.dtype)


def library_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The library's attention, with zeros for queries that may attend to nothing, in place of the student's."""
    n, m = q.shape[-2], k.shape[-2]
    shape = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    allowed = torch.ones(n, m, dtype=torch.bool, device=q.device) if mask is None else mask
    allowed = allowed.expand(*torch.broadcast_shapes(allowed.shape, (*shape, n, m)))
    empty = ~allowed.any(-1, keepdim=True)
    one_hot = torch.eye(m, dtype=v.dtype, device=v.device).expand(*shape, m, m)  # its values are the weights
    results = [F.scaled_dot_product_attention(q, k, values, allowed | empty) for values in (v, one_hot)]
    out, weights = (result.masked_fill(empty, 0.0) for result in results)
    return out, weights


def library_causal_mask(n: int) -> torch.Tensor:
    """The library's causal mask in this course's convention, in place of the student's."""
    return nn.Transformer.generate_square_subsequent_mask(n) == 0


class LibraryMultiHeadAttention(nn.MultiheadAttention):
    """The library's multi-head attention with this course's interface, in place of the student's."""

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0) -> None:
        super().__init__(d_model, n_heads, dropout=dropout, batch_first=True)
        # The contract names the parameters only; these are the usual names for the sizes.
        self.d_model = d_model
        self.n_heads = self.heads = self.nhead = self.h = n_heads
        self.d_head = self.d_k = self.head_dim

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Attend within each sequence; `mask` is boolean, (n, n) or (batch, n, n), True = may attend."""
        if mask is None:
            return super().forward(x, x, x, need_weights=False)[0]
        allowed = mask.expand(x.shape[0], -1, -1)
        empty = ~allowed.any(-1, keepdim=True)
        blocked = ~(allowed | empty).repeat_interleave(self.num_heads, 0)
        out = super().forward(x, x, x, attn_mask=blocked, need_weights=False)[0]
        return torch.where(empty, self.out_proj.bias, out)


_WITH_ENGINE = (torch.autograd, torch.autograd.graph)


def by_hand(student, name, *args):
    """The result of a function where automatic differentiation is switched off; "autograd" if it needs that."""
    function = getattr(student, name)
    # Inference mode stops autograd itself; it can be left, and torch.func switches gradients on again.
    engine = [mock.patch.object(module, "_engine_run_backward", side_effect=RuntimeError) for module in _WITH_ENGINE]
    try:
        with torch.inference_mode(), _set_fwd_grad_enabled(False), engine[0], engine[1]:
            return function(*args)
    except RuntimeError:
        function(*args)  # fails again unless it was autograd that was missing
        return "autograd"


def _attention_module(student, state, d_model, n_heads, like):
    mha = student.MultiHeadAttention(d_model, n_heads).to(device=like.device, dtype=like.dtype)
    mha.load_state_dict(state)
    return mha.eval()


def decoding(student, state, n_heads, x):
    """The outputs of decode_step for x (batch, n, d_model), one position after the other; twice, from the start."""
    mha = _attention_module(student, state, x.shape[-1], n_heads, x)
    runs = []
    for _ in range(2):
        outputs, cache = [], None
        with torch.no_grad():
            for t in range(x.shape[1]):
                y, cache = student.decode_step(mha, x[:, t : t + 1], cache)
                outputs.append(y)
        runs.append(torch.cat(outputs, 1))
    return tuple(runs)


def decoding_in_turn(student, state, n_heads, first, second):
    """The outputs of decode_step for two batches of sequences, one step of each in turn, a cache for each."""
    mha = _attention_module(student, state, first.shape[-1], n_heads, first)
    sequences, caches, outputs = (first, second), [None, None], ([], [])
    with torch.no_grad():
        for t in range(max(x.shape[1] for x in sequences)):
            for i, x in enumerate(sequences):
                if t < x.shape[1]:
                    y, caches[i] = student.decode_step(mha, x[:, t : t + 1], caches[i])
                    outputs[i].append(y)
    return tuple(torch.cat(ys, 1) for ys in outputs)


def predict(student, model, tokens):
    """The logits of a trained model for tokens, in eval mode."""
    with torch.no_grad():
        return model.eval()(tokens)
