"""The devices that torch can compute on here."""

from __future__ import annotations

from seglift.base.errors import UserError


def available_devices() -> tuple[str, ...]:
    """Names of the devices at hand: ``cpu``, then ``cuda`` and ``cuda:0``, ``cuda:1``, ..., then ``mps``."""
    import torch  # takes seconds to load; most callers only read options

    found = ["cpu"]
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    return tuple(found)


def resolve_device(name: str) -> str:
    """``auto`` becomes ``cuda`` where there is one, else ``cpu``; other names are checked.

    Raises:
        UserError: the device is unknown or absent; the message lists what exists.
    """
    found = available_devices()
    if name == "auto":
        return "cuda" if "cuda" in found else "cpu"
    if name not in found:
        raise UserError(f"device '{name}' is not here; choose auto or one of {', '.join(found)}")
    return name
