"""A new head, a frozen backbone and groups of parameters, as the grader checks them."""

from __future__ import annotations

from deepmarks.checks import question
from public.test_q3 import check_frozen, check_groups, check_head


@question("q3", points=0.5)
def test_heads_deep_inside_are_replaced(student, rng, device):
    """replace_head finds the last of several linear layers, inside of other modules, and the fc of a ResNet-18."""
    for kind, inputs in (("vgg-like", 7), ("transformer-like", 6), ("resnet18", 512)):
        check_head(student, kind, int(rng.integers(2, 9)), inputs, device)


@question("q3", points=0.5)
def test_other_networks_are_frozen_as_well(student, device):
    """Networks with BatchNorm between linear layers, with other normalisations, and a ResNet-18 are frozen properly."""
    for kind in ("vgg-like", "transformer-like", "resnet18"):
        check_frozen(student, kind, device)


@question("q3", points=0.75, device="cpu")
def test_groups_of_other_networks_are_complete(student, rng):
    """param_groups is right for GroupNorm and LayerNorm, for a ResNet-18, and with some or most layers frozen."""
    lr, decay = float(rng.uniform(1e-4, 1e-3)), float(rng.uniform(1e-3, 1e-2))
    for kind in ("transformer-like", "vgg-like", "resnet18"):
        for freeze in ("nothing", "first", "backbone"):
            check_groups(student, kind, freeze, lr, 7 * lr, decay)
