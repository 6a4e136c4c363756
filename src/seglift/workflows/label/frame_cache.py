"""The clip's frames as tensors, the last few kept."""

from __future__ import annotations

import threading
from collections import OrderedDict

import torch
from torch import Tensor

from seglift.base.threads import worker_count
from seglift.workflows.label.plan import LabelPlan

FRAMES_CACHED = 8


class FrameCache:
    """The clip's frames as tensors on the device; the last few are kept. Safe to call from several threads."""

    def __init__(self, plan: LabelPlan, device: torch.device) -> None:
        self._frames, self._device = plan.clip.frames, device
        self._kept: OrderedDict[int, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, index: int) -> Tensor:
        """RGB uint8 ``[1, 3, H, W]`` (channels last) of frame ``index``."""
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
                return self._kept[index]
        image = torch.from_numpy(self._frames[index]).permute(2, 0, 1)[None].to(self._device)
        with self._lock:
            self._kept[index] = image
            while len(self._kept) > FRAMES_CACHED + worker_count():
                self._kept.popitem(last=False)
        return image
