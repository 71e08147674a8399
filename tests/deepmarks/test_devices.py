"""Devices, tolerances, precision, and the guard for torchvision."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from deepmarks import devices

AVAILABLE = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))


def run_fresh(source: str) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_auto_resolves_to_a_device_that_works():
    assert torch.ones(2, device=devices.resolve("auto")).sum().item() == 2


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_an_available_device_resolves_to_itself(device):
    assert devices.resolve(device) == device


def test_an_unknown_device_is_refused():
    with pytest.raises(devices.UnknownDeviceError, match="'tpu'"):
        devices.resolve("tpu")


def test_a_missing_device_has_its_own_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(devices.CudaUnavailableError, match="CUDA"):
        devices.resolve("cuda")
    with pytest.raises(devices.MpsUnavailableError):
        devices.resolve("mps")
    assert devices.resolve("auto") == "cpu"


@pytest.mark.parametrize("device", devices.DEVICES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "complex64", "int64", "uint8", "bool"])
def test_every_dtype_has_a_tolerance_with_a_reason(dtype, device):
    limits = devices.tolerance(dtype, device)
    assert limits.reason
    assert (limits.rtol == 0) == (dtype in ("int64", "uint8", "bool"))


def test_dtypes_of_numpy_and_torch_share_one_line():
    limits = {devices.tolerance(d) for d in ("float32", np.float32, np.dtype("float32"), torch.float32)}
    assert len(limits) == 1
    assert devices.tolerance(torch.bfloat16) == devices.tolerance("bfloat16")
    assert devices.tolerance(float) == devices.tolerance("float64")


def test_a_gpu_with_a_number_is_a_gpu():
    assert devices.tolerance("float32", "cuda:1") == devices.tolerance("float32", "cuda")


def test_float64_is_tight_enough_to_show_float32():
    assert devices.tolerance("float64").rtol < np.finfo(np.float32).eps / 2


def test_there_is_no_float64_on_mps():
    with pytest.raises(devices.UnknownToleranceError, match="float64"):
        devices.tolerance("float64", "mps")


def test_checks_precision_switches_tf32_off_and_restores_it():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    try:
        with contextlib.suppress(ZeroDivisionError), devices.checks_precision():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cuda.matmul.allow_tf32
            assert not torch.backends.cudnn.allow_tf32
            raise ZeroDivisionError
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


@pytest.mark.parametrize("device", AVAILABLE)
def test_float32_products_keep_their_digits_during_checks(device):
    a = torch.randn(64, 512, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with devices.checks_precision():
        product = (a.float().to(device) @ a.float().T.to(device)).cpu().double()
    assert (product - a @ a.T).abs().max() < 1e-3


def test_deterministic_is_restored():
    before = torch.are_deterministic_algorithms_enabled()
    with devices.deterministic():
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.are_deterministic_algorithms_enabled() == before


def test_devices_compare_and_seeding_do_not_import_torch():
    out = run_fresh(
        """
        import sys
        from deepmarks import devices, seeding
        from deepmarks.compare import diagnose
        import numpy as np
        seeding.seed_everything(3)
        with devices.checks_precision(), devices.deterministic():
            diagnose(np.arange(3.0), np.arange(4.0))
        print(devices.resolve("cpu"), devices.tolerance("float64").rtol > 0, "torch" in sys.modules)
        """
    )
    assert out == "cpu True False"


def test_torchvision_works_behind_the_guard():
    out = run_fresh(
        """
        import sys
        import deepmarks.torchvision_guard as g
        first, again = g.guard(), g.guard()
        assert not again and "torchvision" not in sys.modules
        import torch, torchvision
        import torchvision.datasets
        from torchvision.transforms import v2
        with torch.no_grad():
            print(torchvision.models.resnet18().eval()(torch.zeros(1, 3, 64, 64)).shape[1])
        v2.RandomCrop(8)(torch.zeros(3, 16, 16))
        assert not g.guard()
        """
    )
    assert out == "1000"


def test_the_guard_works_after_a_failed_import():
    out = run_fresh(
        """
        try:
            import torchvision
        except RuntimeError:
            pass
        import deepmarks.torchvision_guard as g
        g.guard()
        import torchvision
        print(torchvision.models.resnet18().fc.out_features)
        """
    )
    assert out == "1000"


def test_the_guard_does_nothing_where_the_operators_load(monkeypatch):
    from deepmarks import torchvision_guard

    monkeypatch.setattr(torchvision_guard, "_library", None)
    monkeypatch.setattr(torchvision_guard, "_operators_load", lambda: True)
    assert torchvision_guard.guard() is False
    assert torchvision_guard._library is None
