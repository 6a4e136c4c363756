"""How near the frames that a motion network makes come to the true ones, beside two plain ways to make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from seglift.base.ahead import work_ahead
from seglift.base.files import fingerprint_values
from seglift.base.progress import ProgressBar
from seglift.metrics.image_quality import ImageQuality
from seglift.motion.estimator import MotionEstimator
from seglift.motion.named import get_estimator
from seglift.training.loop.processes import sum_over_processes, this_process
from seglift.training.loop.task import Part
from seglift.training.videos.array_cache import ArrayCache
from seglift.training.videos.triplets import Triplets
from seglift.training.videos.view import Place, VideoView, ViewConfig, video_view, warp_from

FLOW_BYTES = 512 << 20
"""Flows of held-out frames that are kept from one validation to the next."""
BASELINES = ("copy", "input_flow")

MakesMotion = Callable[[Tensor, Tensor], Tensor]
"""Images [1, N, 3, h, w] and flows [1, N - 1, 2, h, w] to motion [1, 2, h, w] on the frame to be made."""


class HeldOut:
    """Triplets whose last frame is to be made, looked at whole or in their centre.

    Args:
        triplets: held-out data.
        frames: most triplets that are looked at, evenly spread.
        crop: height and width of the centre that is looked at; None takes whole frames.
        margin: pixels around that centre in which flow is estimated.
        num_frames: how many frames the network sees, 2 or 3.
        input_flow: name of the estimator of its flows.
    """

    def __init__(
        self,
        triplets: Triplets,
        frames: int,
        crop: tuple[int, int] | None,
        margin: int,
        num_frames: int,
        input_flow: str,
    ) -> None:
        self.triplets, self.crop, self.margin, self.num_frames = triplets, crop, margin, num_frames
        self.input_flow = input_flow
        count = min(frames, len(triplets))
        self.numbers = [(2 * index + 1) * len(triplets) // (2 * count) for index in range(count)]
        self._flow: MotionEstimator | None = None
        self._kept: ArrayCache[Tensor] = ArrayCache(FLOW_BYTES)

    def scores(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """``psnr`` (dB) and ``ssim`` of the frames that ``network`` makes; of several processes each does a share.

        Raises:
            UserError: a frame cannot be read.
        """
        own = self.quality({"model": network}, device, this_process())["model"]
        kind = torch.float32 if device.type == "mps" else torch.float64
        sums = sum_over_processes(torch.from_numpy(own.sums).to(device, kind))
        quality = ImageQuality(sums.cpu().double().numpy())
        return {"psnr": quality.psnr(), "ssim": quality.ssim()}

    def compare(self, network: nn.Module, device: torch.device) -> dict[str, ImageQuality]:
        """``model``, ``copy`` (the frame before, unchanged) and ``input_flow`` over all frames, in one process.

        ``input_flow`` warps by the last flow that the network is given: with three frames the one onto the frame that
        is made, with two the one before it, as if motion went on.

        Raises:
            UserError: a frame cannot be read.
        """
        makers: dict[str, MakesMotion] = {"model": network, "copy": stand_still, "input_flow": last_flow}
        return self.quality(makers, device, Part(), "scoring")

    @torch.no_grad()
    def quality(
        self, makers: Mapping[str, MakesMotion], device: torch.device, part: Part, title: str = ""
    ) -> dict[str, ImageQuality]:
        """Scores of the frames that each of ``makers`` makes, by its name.

        Args:
            makers: what makes the motion.
            device: where.
            part: which of the frames are looked at.
            title: shows progress under this title; empty shows none.
        """
        found = {name: ImageQuality.empty() for name in makers}
        own = range(part.index, len(self.numbers), part.count)
        with ProgressBar(len(own), title, "frames", quiet=not title) as bar:
            for view in work_ahead(self._view, own, workers=1):
                images, flows = view.images[None].to(device), view.flows[None].to(device)
                source, target = view.source[None].to(device), images[:, 2]
                for name, make in makers.items():
                    motion = make(images[:, : self.num_frames], flows).float()
                    found[name].update(warp_from(source, motion, self._margin), target)
                bar.advance()
        return found

    @property
    def _margin(self) -> int:
        return 0 if self.crop is None else self.margin

    def _view(self, index: int) -> VideoView:
        frames = self.triplets[self.numbers[index]]
        shape = (frames[0].shape[0], frames[0].shape[1])
        size = shape if self.crop is None else (min(self.crop[0], shape[0]), min(self.crop[1], shape[1]))
        place = Place(*((side - crop) // 2 for side, crop in zip(shape, size, strict=True)))
        remembered = _Remembered(self, index)
        return video_view(frames, place, ViewConfig(size, self._margin, self.num_frames), remembered)

    def flow(self, key: tuple[int, int], source: Tensor, target: Tensor) -> Tensor:
        """A flow that is estimated when it is first asked for."""
        if self._flow is None:
            self._flow = get_estimator(self.input_flow)
        estimate = self._flow
        return self._kept.get(key, lambda: estimate(source, target))

    def fingerprint(self) -> str:
        """Of frames and of how they are looked at."""
        return fingerprint_values(self.triplets.fingerprint(), self.numbers, self.crop, self._margin)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_flow": None, "_kept": ArrayCache(FLOW_BYTES)}


def stand_still(images: Tensor, flows: Tensor) -> Tensor:
    """No motion, [B, 2, h, w]: the frame before is copied."""
    del images
    return torch.zeros_like(flows[:, -1])


def last_flow(images: Tensor, flows: Tensor) -> Tensor:
    """The last of flows [B, N - 1, 2, h, w]."""
    del images
    return flows[:, -1]


class _Remembered:
    """The flows of one held-out triplet, in the order in which a view asks for them."""

    def __init__(self, held_out: HeldOut, index: int) -> None:
        self.held_out, self.index, self.asked = held_out, index, 0

    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        del previous
        key = (self.index, self.asked)
        self.asked += 1
        return self.held_out.flow(key, source, target)
