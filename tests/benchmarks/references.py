"""The reference solutions beside the library's own functions, in one run.

    python -m tests.benchmarks.references

Prints milliseconds of both (medians) and their ratio, on one thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from deepmarks.checks.workspace import Names
from deepmarks.submission import compile_unit, read_submission
from deepmarks_grader.authoring import find_repo, load_master

ROUNDS = 9


def reference(slug: str) -> Names:
    """The names that the reference solution of an assignment defines."""
    namespace: dict[str, object] = {"__name__": "reference"}
    source = load_master(find_repo() / "solutions" / slug / "master.py").solution_source
    for unit in read_submission(source.encode(), "reference.py").units:
        exec(compile_unit(unit), namespace)
    return Names(namespace)


def milliseconds(function: Callable[[], object]) -> float:
    """The median time of one call."""
    function()
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def compare(name: str, ours: Callable[[], object], library: Callable[[], object]) -> None:
    """Print one line."""
    mine, theirs = milliseconds(ours), milliseconds(library)
    print(f"{name:52} {mine:9.2f} ms   library {theirs:9.2f} ms   ratio {mine / theirs:6.1f}")


def main() -> None:
    """Compare CTC and attention."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ctc, attention = reference("a9_ctc"), reference("a8_self_attention")
    for frames, length in ((50, 10), (200, 40)):
        logs = torch.randn(frames, 20, dtype=torch.float64).log_softmax(-1)
        labels = torch.randint(1, 20, (length,))
        compare(
            f"ctc_loss, {frames} frames, {length} labels",
            lambda logs=logs, labels=labels: ctc.ctc_loss(logs, labels.tolist()),
            lambda logs=logs, labels=labels, n=frames, k=length: F.ctc_loss(
                logs[:, None], labels[None], torch.tensor([n]), torch.tensor([k]), reduction="none"
            ),
        )
    logs = torch.randn(50, 16, 20).log_softmax(-1)
    targets, frames_of, sizes = torch.randint(1, 20, (16, 10)), torch.full((16,), 50), torch.full((16,), 10)
    compare(
        "ctc_loss_batch, 16 of 50 frames, 10 labels",
        lambda: ctc.ctc_loss_batch(logs, targets, frames_of, sizes),
        lambda: F.ctc_loss(logs, targets, frames_of, sizes),
    )
    for n in (64, 512):
        q, k, v = (torch.randn(4, 4, n, 32) for _ in range(3))
        compare(
            f"attention, 4 x 4 heads, {n} positions of 32",
            lambda q=q, k=k, v=v: attention.attention(q, k, v),
            lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v),
        )


if __name__ == "__main__":
    main()
