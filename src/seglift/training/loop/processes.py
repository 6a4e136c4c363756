"""The processes that train one network together: one for each device, started by ``torchrun``."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.strategies import DDPStrategy
from timm.layers import convert_sync_batchnorm
from torch import Tensor, distributed, nn

from seglift.base.devices import resolve_device
from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.training.loop.task import Part

_FABRIC_LOG = logging.getLogger("lightning_fabric")
BACKENDS = {"cpu": "gloo", "cuda": "nccl"}

Value = TypeVar("Value")


def make_fabric(device: str = "auto", precision: str = "32-true") -> Fabric:
    """Fabric on one device, or under ``torchrun`` on one device for each process, joined by gloo (CPU) or NCCL (CUDA).

    Args:
        device: as torch names it, or ``auto``; without a number under ``torchrun``.
        precision: ``32-true``, ``16-mixed`` (with a gradient scaler) or ``bf16-mixed``.

    Raises:
        UserError: there is no such device here, not enough of them for the processes, or it lacks the precision.
    """
    name = resolve_device(device)
    kind, _, index = name.partition(":")
    if precision == "16-mixed" and kind != "cuda":
        raise UserError(
            f"precision 16-mixed needs CUDA, the device is {kind}; say --set fit.precision=bf16-mixed or"
            " --set fit.precision=32-true"
        )
    plugins = [] if precision == "32-true" else [_Mixed(precision, kind)]
    processes, here = _started()
    if processes == 1:
        return Fabric(accelerator=kind, devices=[int(index)] if index else 1, plugins=plugins)
    if kind not in BACKENDS or index:
        raise UserError(f"{processes} processes cannot train on {name}; say cuda or cpu, each process takes its own")
    if kind == "cuda" and here > torch.cuda.device_count():
        raise UserError(
            f"torchrun started {here} processes here, expected at most one for each of the {torch.cuda.device_count()}"
            " CUDA devices; lower --nproc-per-node"
        )
    strategy = DDPStrategy(process_group_backend=BACKENDS[kind])
    fabric = Fabric(accelerator=kind, devices=here, num_nodes=processes // here, strategy=strategy, plugins=plugins)
    level = _FABRIC_LOG.level
    _FABRIC_LOG.setLevel(logging.WARNING)  # every process would tell its number
    fabric.launch()
    _FABRIC_LOG.setLevel(level)
    return fabric


def this_process() -> Part:
    """Which of how many processes this one is; ``Part(0, 1)`` when it trains alone."""
    if distributed.is_available() and distributed.is_initialized():
        return Part(distributed.get_rank(), distributed.get_world_size())
    return Part()


def is_first_process() -> bool:
    """Whether this is the process that writes and speaks; also known before the processes have joined."""
    return int(os.environ.get("RANK", "0")) == 0 if _started()[0] > 1 else True


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of every process's ``values`` (any shape, changed in place); every process must call it."""
    if this_process().count > 1:
        distributed.all_reduce(values)
    return values


def gather_from_processes(value: Value) -> list[Value]:
    """Every process's ``value``, in their order, whatever pickles; every process must call it."""
    count = this_process().count
    if count == 1:
        return [value]
    found: list[Value] = [value] * count
    distributed.all_gather_object(found, value)
    return found


def copy_from_first(tensors: Iterable[Tensor]) -> None:
    """Overwrites ``tensors`` with those of the first process; every process must call it."""
    if this_process().count > 1:
        for tensor in tensors:
            distributed.broadcast(tensor, src=0)


def share_batch_norm(module: nn.Module, device: torch.device) -> None:
    """Makes the batch norms inside ``module`` take their statistics over the batches of all processes.

    One process alone has nothing to share, and its module stays as it is.

    Raises:
        UserError: several processes train, and not on CUDA.
    """
    processes = this_process().count
    if processes == 1:
        return
    if device.type != "cuda":
        raise UserError(
            f"sync_batch_norm of {processes} processes needs CUDA, the device is {device.type}; train with one process,"
            " or say --set fit.sync_batch_norm=false"
        )
    convert_sync_batchnorm(module)


def tell_separate_batch_norm(module: nn.Module, device: torch.device) -> None:
    """Says, in the first of several processes, that each one takes the statistics of batch norm over its own part.

    Nothing is said of one process, or of a ``module`` without batch norm.
    """
    process = this_process()
    if process.count == 1 or process.index > 0:
        return
    if any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules()):
        advice = "say --set fit.sync_batch_norm=true to share them" if device.type == "cuda" else "sharing needs CUDA"
        say(
            f"each of the {process.count} processes normalises by the batch statistics of its own part of the batch;"
            f" {advice}"
        )


@contextlib.contextmanager
def ends_with_the_others() -> Iterator[None]:
    """Inside, a process that waits in vain for another one that failed ends with one line; the other one says why.

    Raises:
        UserError: another process failed.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, distributed.DistError) or "Connection closed by peer" in str(error):
            raise UserError("another process of this training failed; look at what that one says") from error
        raise


class _Mixed(MixedPrecision):  # type: ignore[misc]
    """Lowers the precision inside the network only: images and positions come to it in float32."""

    def convert_input(self, data: Any) -> Any:
        return data


def _started() -> tuple[int, int]:
    """How many processes torchrun started, and how many of them on this machine."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        return 1, 1
    return int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
