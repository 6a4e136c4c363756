"""Training SDC-Net to make video frames out of the ones before them (Zhu et al., CVPR 2019, section 3.1)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_file, fingerprint_values
from seglift.base.seeding import derive_seed, numpy_generator
from seglift.losses.perceptual import perceptual_loss, style_loss
from seglift.losses.video_prediction import VideoLossConfig, VideoPredictionLoss
from seglift.models.sdcnet import ARCHITECTURE, FRAMES, build_sdcnet
from seglift.models.vgg_features import VggFeatures, load_vgg_features, vgg_file
from seglift.motion.estimator import MotionEstimator
from seglift.motion.named import get_estimator, weights_path
from seglift.motion.sdcnet import motion_metadata
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Batch, Part
from seglift.training.starts.start_motion import MotionStart
from seglift.training.video_prediction_validation import HeldOut
from seglift.training.videos.flow_statistics import SAMPLE, flow_statistics
from seglift.training.videos.triplets import Triplets
from seglift.training.videos.view import MASKS, Mask, VideoView, ViewConfig, random_place, video_view, warp_from


@dataclass(frozen=True)
class MotionNetworkConfig:
    """An SDC-Net."""

    variant: Literal["reconstruction", "prediction"] = "reconstruction"
    """Whether it sees the frame that it makes (Zhu et al., equation 3) or only the two before it (equation 1)."""
    width_mult: float = 1.0
    """Multiplies the channels of every layer."""
    start_from_flow: bool = False
    """Begin as a network that gives the last input flow unchanged."""
    flow_mean: tuple[float, float] | None = None
    """Mean of dx and dy of its input flows, pixels; none takes that of the training data, or of `start`'s."""
    flow_std: tuple[float, float] | None = None
    """Their standard deviation; none likewise."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if self.variant not in FRAMES:
            raise UserError(f"the variant is {self.variant!r}, expected one of {', '.join(FRAMES)}; choose one")
        if not 0 < self.width_mult <= 4:
            raise UserError(f"width_mult is {self.width_mult}, expected above 0 and at most 4; change it")
        if (self.flow_mean is None) != (self.flow_std is None):
            raise UserError("one of flow_mean and flow_std is given, expected both or neither; add the other")
        if self.flow_std is not None and not min(self.flow_std) > 0:
            raise UserError(f"flow_std is {list(self.flow_std)}, expected two numbers above 0; change it")


@dataclass(frozen=True)
class VideoPredictionRecipe:
    """How to train a motion network; the defaults are those of the released training where it says."""

    network: MotionNetworkConfig = field(default_factory=MotionNetworkConfig)
    """The network."""
    input_flow: str = "dis:fine"
    """What estimates the flows that it is given: dis, dis:fine, raft, ..."""
    fit: FitConfig = field(
        default_factory=lambda: FitConfig(
            steps=20000, optimizer="adam", learning_rate=1e-4, weight_decay=0.0, schedule="multistep"
        )
    )
    """Length, optimiser, seed."""
    crop: tuple[int, int] = (448, 448)
    """Height and width of the crops, pixels; multiples of 64 spare the network padding."""
    margin: int = 32
    """Pixels around a crop in which flow is estimated too, and from which the motion may bring pixels in."""
    batch: int = 4
    """Crops in each step, over all processes and accumulated parts."""
    loss: VideoLossConfig = field(default_factory=VideoLossConfig)
    """What is minimised."""
    mask: Mask = "all"
    """Pixels that the image's terms count: all, or those visible in the frame that is sampled."""
    reversal: float = 0.5
    """Share of crops shown backward in time, 0..1."""
    flip: float = 0.0
    """Share of crops mirrored left and right, 0..1."""
    jitter: float = 0.0
    """How far brightness, contrast and saturation of a crop may change, the same in all frames, 0..1."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        kind, _, _ = self.input_flow.partition(":")
        rules = {
            "crop": (min(self.crop) >= 16, "at least 16 x 16"),
            "margin": (self.margin >= 0, "at least 0"),
            "batch": (self.batch >= 1, "at least 1"),
            "mask": (self.mask in MASKS, f"one of {', '.join(MASKS)}"),
            "reversal": (0 <= self.reversal <= 1, "0..1"),
            "flip": (0 <= self.flip <= 1, "0..1"),
            "jitter": (0 <= self.jitter < 1, "0 to below 1"),
            "input_flow": (kind in ("dis", "raft"), "dis, raft or one of their kinds, such as dis:fine"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                raise UserError(f"{name} is {getattr(self, name)!r}, expected {expected}; change it")


class VideoPredictionTask:
    """Batches of random views of triplets; the frame that the motion makes shall be the last one.

    Args:
        triplets: training data.
        recipe: how to train.
        crop: height and width of the crops; None takes the recipe's.
        start: weights to start from, or None for random ones.
        held_out: what the best weights are chosen by; None keeps the last.

    Raises:
        UserError: no such flow estimator, VGG-16's weights are not at hand though the loss wants them, or a frame
            cannot be read.
    """

    def __init__(
        self,
        triplets: Triplets,
        recipe: VideoPredictionRecipe,
        crop: tuple[int, int] | None = None,
        start: MotionStart | None = None,
        held_out: HeldOut | None = None,
    ) -> None:
        self.triplets, self.recipe, self.held_out = triplets, recipe, held_out
        variant = recipe.network.variant
        self.view = ViewConfig(crop or recipe.crop, recipe.margin, FRAMES[variant], recipe.mask)
        self._flow: MotionEstimator | None = None
        self._order: tuple[int, np.ndarray[Any, np.dtype[np.int64]]] | None = None
        self.network_values = {"architecture": ARCHITECTURE, "arguments": self._arguments(start)}
        self.network = build_sdcnet(self.network_values, seed=recipe.fit.seed).to(memory_format=torch.channels_last)
        if start is not None:
            self.network.load_state_dict({**start.tensors, **_buffers(self.network)})
        self._started_from = None if start is None else start.fingerprint()
        self.criterion = VideoPredictionLoss(recipe.loss)
        self._vgg_file = vgg_file(recipe.loss.vgg) if recipe.loss.wants_features else None
        self._vgg: VggFeatures | None = None if self._vgg_file is None else load_vgg_features(self._vgg_file)

    def _arguments(self, start: MotionStart | None) -> dict[str, Any]:
        """Arguments of the network, flow statistics among them."""
        wanted = self.recipe.network
        if wanted.flow_mean is not None and wanted.flow_std is not None:
            mean, std = wanted.flow_mean, wanted.flow_std
        elif start is not None:
            mean, std = start.flow_mean, start.flow_std
        else:
            mean, std = flow_statistics(self._sample_view(number).flows for number in range(SAMPLE))
            self.triplets.rest()
        values = asdict(wanted) | {"flow_mean": list(mean), "flow_std": list(std)}
        return values | {"start_from_flow": wanted.start_from_flow and start is None}

    def _sample_view(self, number: int) -> VideoView:
        """A view of a triplet, evenly spread over the data."""
        count = len(self.triplets)
        return self._cut(number * count // SAMPLE, "flow statistics", number)

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    def trainable(self) -> nn.Module:
        """The network: images [B, N, 3, h, w] and flows [B, N - 1, 2, h, w] to motion [B, 2, h, w]."""
        return self.network

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every triplet is shown once."""
        return math.ceil(len(self.triplets) / self.recipe.batch)

    def batch(self, seed: int, step: int, part: Part) -> Batch:
        """``images`` [B, 3, 3, h, w] 0..1, ``source``, ``flows`` and ``mask`` of as many views, all float32."""
        first = step * self.recipe.batch
        views = [self._view(seed, first + number) for number in part.share(self.recipe.batch)]
        return {
            "images": torch.stack([view.images for view in views]),
            "source": torch.stack([view.source for view in views]),
            "flows": torch.stack([view.flows for view in views]),
            "mask": torch.stack([view.mask for view in views]),
        }

    def _view(self, seed: int, position: int) -> VideoView:
        """What draw ``position`` of the training shows; every epoch shows each triplet once, in an order of its own."""
        epoch, place = divmod(position, len(self.triplets))
        if self._order is None or self._order[0] != derive_seed(seed, epoch):
            order = numpy_generator(seed, "epoch", epoch).permutation(len(self.triplets))
            self._order = derive_seed(seed, epoch), order
        return self._cut(int(self._order[1][place]), "view", position, seed)

    def _cut(self, number: int, purpose: str, position: int, seed: int | None = None) -> VideoView:
        recipe = self.recipe
        frames = self.triplets[number]
        generator = numpy_generator(recipe.fit.seed if seed is None else seed, purpose, position)
        shape = (frames[0].shape[0], frames[0].shape[1])
        place = random_place(shape, self.view.size, generator, recipe.reversal, recipe.flip, recipe.jitter)
        if self._flow is None:
            self._flow = get_estimator(recipe.input_flow)
        return video_view(frames, place, self.view, self._flow)

    def counts(self, batch: Batch) -> Tensor:
        """The loss's counts, float64 [6]."""
        return self.criterion.counts(batch["mask"])

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        """This part's share of the loss, a scalar."""
        del epoch
        images, mask = batch["images"], batch["mask"]
        motion = trainable(images[:, : self.view.frames], batch["flows"]).float()
        made, target = warp_from(batch["source"], motion, self.view.margin), images[:, 2]
        loss: Tensor = self.criterion(made, target, motion, mask, counts)
        return loss if self._vgg is None else loss + self._feature_loss(made, target, mask, counts[5])

    def _feature_loss(self, made: Tensor, target: Tensor, mask: Tensor, count: Tensor) -> Tensor:
        """Perceptual and style distance; pixels that do not count are as they should be."""
        if self._vgg is None:
            raise ValueError("no VGG-16 was loaded for this loss")
        vgg, config, of = self._vgg.to(made.device), self.recipe.loss, count.to(made.dtype)
        ours, true = vgg(made * mask + target * (1 - mask)), vgg(target)
        return config.perceptual * perceptual_loss(ours, true, of) + config.style * style_loss(ours, true, of)

    def validate(self, device: torch.device) -> dict[str, float] | None:
        """Scores of the network as it is; None without held-out data."""
        return None if self.held_out is None else self.held_out.scores(self.network, device)

    def metadata(self) -> dict[str, Any]:
        """What ``read_motion_checkpoint`` needs."""
        return motion_metadata(self.network_values, self.recipe.input_flow)

    def fingerprint(self) -> str:
        """Of data, network, recipe (without the fit settings), weights that are read, and held-out data."""
        names = [entry.name for entry in fields(VideoPredictionRecipe) if entry.name != "fit"]
        recipe = {name: value for name, value in asdict(self.recipe).items() if name in names}
        recipe["loss"] = {name: value for name, value in recipe["loss"].items() if name != "vgg"}
        vgg = None if self._vgg_file is None else fingerprint_file(self._vgg_file)
        checked = None if self.held_out is None else self.held_out.fingerprint()
        data = (self.triplets.fingerprint(), self.view.size, self.network_values)
        flow_file = weights_path(self.recipe.input_flow)
        flow = () if flow_file is None else (fingerprint_file(flow_file),)
        return fingerprint_values(*data, recipe, self._started_from, vgg, checked, *flow)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_flow": None}


def _buffers(network: nn.Module) -> dict[str, Tensor]:
    """The flow statistics of a network, which stand above those of the weights that it starts from."""
    return {name: tensor.detach().clone() for name, tensor in network.named_buffers()}
