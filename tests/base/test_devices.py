from __future__ import annotations

import pytest
import torch

from seglift.base.devices import available_devices, resolve_device
from seglift.base.errors import UserError


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Pretends a machine with so many CUDA devices, and with or without Apple's."""

    def pretend(cuda: int, mps: bool) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "devices", "best"),
    [
        (0, False, ("cpu",), "cpu"),
        (2, False, ("cpu", "cuda", "cuda:0", "cuda:1"), "cuda"),
        (0, True, ("cpu", "mps"), "cpu"),
    ],
)
def test_devices_of_a_machine(machine, cuda: int, mps: bool, devices: tuple[str, ...], best: str):
    machine(cuda, mps)
    assert available_devices() == devices
    assert [resolve_device(name) for name in devices] == list(devices)
    assert resolve_device("auto") == best


@pytest.mark.parametrize("name", ["", "tpu", "cuda:2", "cuda:", "CPU", "cpu:0", "mps"])
def test_absent_devices_are_the_users_error(machine, name: str):
    machine(2, False)
    with pytest.raises(
        UserError, match=f"device '{name}' is not here; choose auto or one of cpu, cuda, cuda:0, cuda:1"
    ):
        resolve_device(name)
