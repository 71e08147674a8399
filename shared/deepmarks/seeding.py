"""Seeds: derived from names by HMAC, and handed to every generator that a check may use."""

from __future__ import annotations

import hashlib
import hmac
import random
import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

_SEED_BYTES = 8
_LEGACY_NUMPY_LIMIT = 2**32  # np.random.seed takes 32 bits


def derive(*parts: str | bytes | int, secret: bytes = b"") -> int:
    """Return a 64-bit seed for these parts: HMAC-SHA256 with the secret as key, cut to eight bytes.

    Every part goes in with its type and length, so `derive("ab", "c")`, `derive("a", "bc")` and
    `derive("abc")` differ, and so do `derive(1)` and `derive("1")`. The order matters.

    Raises TypeError for a part that is not a string, bytes or an integer.
    """
    message = hashlib.sha256()
    for part in parts:
        tag, data = _encode(part)
        message.update(tag + len(data).to_bytes(8, "big") + data)
    digest = hmac.new(secret, message.digest(), hashlib.sha256).digest()
    return int.from_bytes(digest[:_SEED_BYTES], "big")


def seed_everything(seed: int) -> None:
    """Seed Python's random, NumPy's legacy generator and, if torch is imported, torch on every device.

    `seed`: 0 <= seed < 2**64, as `derive` returns it.
    """
    random.seed(seed)
    np.random.seed(seed % _LEGACY_NUMPY_LIMIT)
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(seed)  # the CPU and every CUDA or MPS device, also those not initialised yet


def generator(seed: int) -> np.random.Generator:
    """Return a fresh NumPy generator for the seed."""
    return np.random.default_rng(seed)


def torch_generator(seed: int, device: str = "cpu") -> torch.Generator:
    """Return a fresh torch generator on the device, seeded. Imports torch."""
    import torch

    made = torch.Generator(device=device)
    made.manual_seed(seed)
    return made


def worker_init_fn(worker_id: int) -> None:
    """Seed Python's random and NumPy in a DataLoader's worker; torch has done so for itself already.

    Without it every worker that is forked draws the same NumPy numbers. `torch.initial_seed()` differs from
    worker to worker and from epoch to epoch, and it follows from the seed of the loader's generator.
    """
    import torch

    seed = derive("worker", worker_id, torch.initial_seed())
    random.seed(seed)
    np.random.seed(seed % _LEGACY_NUMPY_LIMIT)


def _encode(part: str | bytes | int) -> tuple[bytes, bytes]:
    if isinstance(part, str):
        return b"s", part.encode()
    if isinstance(part, bytes):
        return b"b", part
    if isinstance(part, int):
        return b"i", str(int(part)).encode()
    raise TypeError(f"a seed is derived from strings, bytes and integers, not from {type(part).__name__}")
