"""Honest code runs inside the isolation as it does outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deepmarks.checks.probes import Probes
from deepmarks.manifest import Limits
from deepmarks.submission import read_submission
from deepmarks_grader.isolation.channel import WorkerChannel
from deepmarks_grader.isolation.supervisor import Zygote

_LIMITS = Limits(cell_seconds=60, call_seconds=60, total_seconds=150)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(["numpy", "torch", "matplotlib.pyplot", "PIL.Image"]) as zygote:
        yield zygote


def run(zygote: Zygote, code: str) -> str:
    """What `code` prints as a submission; notices fail the test."""
    channel = WorkerChannel(zygote, read_submission(code.encode(), "code.py"), Probes(), _LIMITS)
    try:
        channel.load()
        output = channel.take_output()
        assert not channel.notices, (channel.notices, output)
    finally:
        channel.close()
    return output


TRAINING = """
import torch
torch.set_num_threads({threads})
torch.manual_seed(0)
X = torch.randn(4096, 32)
y = (X[:, 0] * X[:, 1] > 0).long()
model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
losses = []
for _ in range(20):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(X), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < losses[0]
print("trained with", torch.get_num_threads())
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_training(zygote, threads):
    assert f"trained with {threads}" in run(zygote, TRAINING.format(threads=threads))


@pytest.mark.parametrize("strategy", ["file_descriptor", "file_system"])
def test_data_loader_with_workers(zygote, strategy):
    code = f"""
import torch
import torch.multiprocessing
torch.multiprocessing.set_sharing_strategy("{strategy}")
from torch.utils.data import DataLoader, TensorDataset
data = TensorDataset(torch.randn(64, 3, 32, 32), torch.arange(64))
seen = [y.sum().item() for _ in range(2) for x, y in DataLoader(data, batch_size=8, num_workers=2)]
next(iter(DataLoader(data, batch_size=8, num_workers=2)))
print("sum", sum(seen))
"""
    assert "sum 4032" in run(zygote, code)


def test_pool(zygote):
    code = """
import multiprocessing
def square(x):
    return x * x
with multiprocessing.Pool(2) as pool:
    print(pool.map(square, range(5)))
"""
    assert "[0, 1, 4, 9, 16]" in run(zygote, code)


def test_spawned_process_and_queue(zygote):
    code = """
import multiprocessing, operator
context = multiprocessing.get_context("spawn")
with context.Pool(1) as pool:
    print(pool.apply(operator.mul, (6, 7)))
"""
    assert "42" in run(zygote, code)


def test_subprocess(zygote):
    code = """
import subprocess, sys
print(subprocess.run(["uname"], capture_output=True, text=True, check=True).stdout)
print(subprocess.run([sys.executable, "-c", "import deepmarks, numpy; print(numpy.ones(3).sum())"],
                     capture_output=True, text=True, check=True).stdout)
print(subprocess.run("echo a b | wc -w", shell=True, capture_output=True, text=True, check=True).stdout)
"""
    output = run(zygote, code)
    assert "Linux" in output
    assert "3.0" in output


def test_torch_save_and_load(zygote):
    code = """
import torch
model = torch.nn.Linear(3, 2)
torch.save(model.state_dict(), "weights.pt")
other = torch.nn.Linear(3, 2)
other.load_state_dict(torch.load("weights.pt", weights_only=True))
assert torch.equal(model.weight, other.weight)
torch.save(model, "whole.pt")
torch.load("whole.pt", weights_only=False, mmap=True)
print("same")
"""
    assert "same" in run(zygote, code)


def test_matplotlib(zygote):
    code = """
import matplotlib.pyplot as plt, os
plt.plot([1, 2, 3])
plt.title("$x^2$")
plt.savefig("plot.png")
plt.show()
print(os.path.getsize("plot.png") > 1000)
"""
    assert "True" in run(zygote, code)


def test_scikit_learn(zygote):
    code = """
from sklearn.datasets import load_digits, make_moons
from sklearn.linear_model import LogisticRegression
X, y = make_moons(100, noise=0.1, random_state=0)
print(LogisticRegression().fit(X, y).score(X, y) > 0.8, load_digits().data.shape)
from joblib import Parallel, delayed
print(Parallel(n_jobs=2)(delayed(abs)(-i) for i in range(3)))
"""
    output = run(zygote, code)
    assert "True (1797, 64)" in output
    assert "[0, 1, 2]" in output


def test_pillow(zygote):
    code = """
from PIL import Image
Image.new("RGB", (8, 8), "red").save("red.png")
print(Image.open("red.png").getpixel((0, 0)))
"""
    assert "(255, 0, 0)" in run(zygote, code)


def test_files(zygote):
    code = """
import os, pathlib, shutil, tempfile, threading, getpass
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "a" / "b"
    path.mkdir(parents=True)
    (path / "x").write_text("hello")
    shutil.copytree(folder, "copy")
    os.rename("copy/a/b/x", "moved")
print(open("moved").read(), getpass.getuser(), pathlib.Path.home() == pathlib.Path.cwd())
with tempfile.NamedTemporaryFile() as file:
    file.write(b"x" * 1000)
thread = threading.Thread(target=print, args=("from a thread",))
thread.start(); thread.join()
"""
    output = run(zygote, code)
    assert "hello student True" in output
    assert "from a thread" in output


def test_matrix_decomposition_and_random_numbers(zygote):
    code = """
import numpy as np, os, random, secrets, uuid, time
u, s, v = np.linalg.svd(np.random.default_rng(0).standard_normal((50, 30)))
print(s.shape, len(os.urandom(4)), len(secrets.token_bytes(3)), len(str(uuid.uuid4())), time.localtime().tm_year > 2000)
"""
    assert "(30,) 4 3 36 True" in run(zygote, code)


def test_memory_below_the_limit(zygote):
    code = """
import torch
from torch.utils.data import DataLoader, TensorDataset
x = torch.ones(300 << 18)  # 300 MiB
data = TensorDataset(torch.randn(32, 3, 64, 64))
print(sum(1 for _ in DataLoader(data, num_workers=2)), x.sum().item() > 0)
"""
    assert "32 True" in run(zygote, code)
