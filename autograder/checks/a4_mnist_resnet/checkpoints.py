"""The checkpoints that the proof hands in: the reference's recipe on the offline digits, and typical mistakes."""

from __future__ import annotations

import io

import torch

from deepmarks.datasets import load_mnist

EPOCHS = 16
"""Half a minute of one core."""


def make(solution, kind, device):
    """The trained network of this kind."""
    images, labels = load_mnist("offline", train=True).tensors()
    match kind:
        case "untrained":
            torch.manual_seed(5)
            return solution.mnist_resnet18().eval()
        case "not_normalised":
            # Undone by the recipe's own (x - 0.5) / 0.5, so the network sees [0, 1] in training.
            images = images * 0.5 + 0.5
        case "shuffled_labels":
            labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(5))]
        case "two_classes":
            images, labels = images[labels < 2], labels[labels < 2]
        case "another_architecture":
            return solution.mnist_resnet18(12).eval()
        case "still":
            return solution.train_for_checkpoint(images, labels, 2, device)
    network = solution.train_for_checkpoint(images, labels, EPOCHS, device)
    if kind == "torch_file":
        torch.save(network.state_dict(), stream := io.BytesIO())
        return stream.getvalue()
    return network
