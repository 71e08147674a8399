"""Seeds are derived without collisions, and every generator follows them."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from deepmarks import seeding

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]
PART = st.one_of(st.text(max_size=4), st.binary(max_size=4), st.integers())


def draw(device: str = "cpu") -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), torch.rand(1, device=device).item()


@given(st.lists(PART, max_size=4), st.lists(PART, max_size=4))
def test_different_parts_give_different_seeds(a, b):
    same = [(type(x), x) for x in a] == [(type(x), x) for x in b]
    assert (seeding.derive(*a) == seeding.derive(*b)) == same


def test_a_seed_has_64_bits_and_stays_what_it_is():
    assert seeding.derive("q3", 7) == seeding.derive("q3", 7)
    assert all(0 <= seeding.derive("x", k) < 2**64 for k in range(100))
    assert max(seeding.derive("x", k) for k in range(100)) >= 2**60


def test_the_known_value_guards_against_a_silent_change_of_every_check():
    assert seeding.derive("a1_backprop", b"student", 1, secret=b"course") == 8898290648360907054


def test_the_secret_changes_the_seed():
    assert len({seeding.derive("x", secret=s) for s in (b"", b"a", b"b")}) == 3


def test_other_parts_are_refused():
    with pytest.raises(TypeError, match="float"):
        seeding.derive(1.5)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
def test_seed_everything_repeats_every_generator(seed, device):
    seeding.seed_everything(seed)
    first = draw(device)
    seeding.seed_everything(seed)
    assert draw(device) == first


@pytest.mark.parametrize("device", DEVICES)
def test_generators_follow_their_seed_alone(device):
    seed = seeding.derive("check")
    assert seeding.generator(seed).random() == seeding.generator(seed).random()
    a, b = (torch.rand(3, generator=seeding.torch_generator(seed, device), device=device) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a, torch.rand(3, generator=seeding.torch_generator(seed + 1, device), device=device))


class Draws(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> float:
        return float(np.random.rand())


def numbers(seed: int) -> list[float]:
    loader = DataLoader(
        Draws(),
        batch_size=1,
        num_workers=2,
        worker_init_fn=seeding.worker_init_fn,
        generator=seeding.torch_generator(seed),
    )
    return [float(batch) for batch in loader]


def test_workers_draw_different_numbers_that_repeat():
    first = numbers(1)
    assert len(set(first)) == 4
    assert numbers(1) == first
    assert numbers(2) != first
