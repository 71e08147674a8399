"""What must run beside the student's code: parts of large results, and facts that do not travel."""

from __future__ import annotations

import torch


def table_rows(student, max_len, d_model, base, rows):
    """The chosen rows of a large table, with its shape and dtype; no rows if its shape is not the one asked for."""
    table = torch.as_tensor(student.sinusoidal(max_len, d_model, base))
    shape = list(table.shape)
    return shape, str(table.dtype), table[rows] if shape == [max_len, d_model] else None


def stays_on_device(student, name, x, *args):
    """Whether a function's result lies on the device of its first argument."""
    return torch.as_tensor(getattr(student, name)(x, *args)).device == x.device


def rope_of_heads(student, x, positions, base):
    """What rope makes of x (batch, n, heads, d) when its axes 1 and 2 are exchanged as a view, as in attention."""
    return student.rope(x.transpose(1, 2), positions, base)
