"""Features and a linear probe, as the grader checks them."""

from __future__ import annotations

from deepmarks.checks import question
from public.test_q5 import check_features, check_probe, cluster


@question("q5", points=0.75)
def test_maps_are_flattened(student, rng, device):
    """Maps (N, C, H, W) become (N, C * H * W), whether the backbone came in train or in eval mode."""
    check_features(student, rng, device, (3, 2, 4), True, (19, 5, 4))
    # The last batch is a single sample: squeeze() must not take its axis away.
    check_features(student, rng, device, (2, 3, 1), False, (15, 3, 7))


@question("q5", points=1)
def test_the_probe_converges_with_more_features_than_samples(student, rng):
    """The probe is at the minimum for weak and strong penalties, and with more features than samples; x is kept."""
    x, y = cluster(rng, (30, 12, 8, 6, 4), 150, 1.5, 0.5)
    check_probe(student, x, y, 5, 0.5, [3, 3, 4], x.flip(0)[:20] * 0.8)
    x, y = cluster(rng, (60, 15, 15), 9, 2.0, -1.0)
    check_probe(student, x, y, 3, 0.3, [int(rng.integers(10**6))] * 2, x[:20] - 0.5)
