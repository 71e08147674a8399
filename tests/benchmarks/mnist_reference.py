"""How long a4's reference needs for official MNIST, and how accurate its checkpoint is on the 10,000 test images.

    python tests/benchmarks/mnist_reference.py [--epochs 14] [--threads 1] [--device cpu] [--out weights.safetensors]

The official data are looked for as everywhere (DEEPMARKS_DATA). What counts is the file: half-precision weights, loaded
into mnist_resnet18(), float32 arithmetic, plain logits, one pass. The test images are not looked at before.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from deepmarks.checkpoints import batched_logits, load_checkpoint, save_checkpoint
from deepmarks.datasets import load_mnist
from deepmarks_grader.authoring import load_master
from deepmarks_grader.calibration.definition import build_solution

MASTER = Path(__file__).resolve().parents[2] / "solutions" / "a4_mnist_resnet" / "master.py"


def main() -> None:
    """Train, save, load, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "a4_mnist_resnet.safetensors")
    options = parser.parse_args()
    solution = build_solution(load_master(MASTER).solution_source)
    torch.set_num_threads(options.threads)  # the notebook itself sets one
    images, labels = load_mnist("official", train=True).tensors()
    started, processor = time.perf_counter(), time.process_time()

    def report(epoch: int, loss: float) -> None:
        print(f"epoch {epoch + 1}: loss {loss:.4f}, {time.perf_counter() - started:.0f} s", flush=True)

    model = solution.train_for_checkpoint(images, labels, options.epochs, options.device, options.seed, report)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    save_checkpoint(model, options.out)
    again = load_checkpoint(options.out, solution.mnist_resnet18())
    images, labels = load_mnist("official", train=False).tensors()
    wrong = int((batched_logits(again, (images - 0.5) / 0.5).argmax(1) != labels).sum())
    print(f"{seconds:.0f} s ({processor:.0f} s of processor time, {options.threads} threads)")
    print(f"accuracy {1 - wrong / len(labels):.2%}: {wrong} of {len(labels):,} wrong; {options.out}")


if __name__ == "__main__":
    main()
