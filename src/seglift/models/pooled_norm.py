"""Batch norm of one value an image: a training batch of one image has no variance to divide by."""

from __future__ import annotations

from torch import Tensor, distributed, nn
from torch.nn import functional as F


def norm_pooled(norm: nn.Module, pooled: Tensor) -> Tensor:
    """Normalises pooled features over the batch; a training batch of one image by the running statistics.

    Those it leaves as they are. Under synchronised batch norm the batch is that of all processes.

    Args:
        norm: batch norm, plain or synchronised.
        pooled: float [B, C, 1, 1].

    Returns:
        Float [B, C, 1, 1].
    """
    if norm.training and pooled.shape[0] == 1 and not _spans_processes(norm):
        return _by_running_statistics(norm, pooled)
    normed: Tensor = norm(pooled)
    return normed


def _spans_processes(norm: nn.Module) -> bool:
    return isinstance(norm, nn.SyncBatchNorm) and distributed.is_initialized() and distributed.get_world_size() > 1


def _by_running_statistics(norm: nn.Module, pooled: Tensor) -> Tensor:
    if not isinstance(norm, nn.modules.batchnorm._BatchNorm):
        raise ValueError(f"expected batch norm, got {type(norm).__name__}")
    return F.batch_norm(pooled, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
