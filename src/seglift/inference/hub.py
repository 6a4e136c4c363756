"""Semantic models from transformers: a folder on disk or an id of the hub."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.inference.class_mapping import ClassMapping, map_classes
from seglift.labels.space import LabelSpace
from seglift.models.network import IMAGENET_MEAN, IMAGENET_STD

SMALLEST_PROBABILITY = 1e-8
BROKEN = (OSError, ValueError, ImportError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError, SafetensorError)
"""What transformers lets through when a model is not there or is damaged."""
ONEFORMER = "oneformer"
ONEFORMER_TASK = "the task is semantic"


@dataclass(frozen=True)
class Preprocessing:
    """What a model's image processor does to an image.

    Attributes:
        factor: what images in 0..1 are multiplied by.
        mean: subtracted then, one for each channel.
        std: divided by then.
        bgr: whether the channels are turned round first.
        short_side: short side of the images it makes, pixels; proportions are kept here; None: any size.
    """

    factor: float = 1.0
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    bgr: bool = False
    short_side: int | None = None

    def apply(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to the model's input of the same shape."""
        ordered = images.flip(1) if self.bgr else images
        mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (ordered * self.factor - mean) / std


class HubModel:
    """A transformers model for semantic or universal segmentation as a semantic model.

    Models that describe each pixel by class (SegFormer, DPT, UPerNet, ...) give their logits. Models of masks
    (Mask2Former, MaskFormer, OneFormer, ...) give the logarithm of their semantic map, the sum over queries of class
    probability times mask probability (Cheng et al., "Per-Pixel Classification is Not All You Need", NeurIPS 2021,
    section 3.4).

    Attributes:
        network: the transformers model, in evaluation mode.
        space_classes: names of the output channels, the space's ``train_names``.
        mapping: how its classes became the space's; tells what is unmapped.
        short_side: short side that its image processor gives images, pixels, or None.
    """

    def __init__(
        self,
        network: nn.Module,
        space_classes: tuple[str, ...],
        mapping: ClassMapping,
        preprocessing: Preprocessing,
        task_tokens: Tensor | None = None,
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.space_classes, self.mapping, self.preprocessing = space_classes, mapping, preprocessing
        self.short_side = preprocessing.short_side
        self.task_tokens = task_tokens

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to logits (or log-probabilities) float32 [B, C, H, W]."""
        return _resized(self.features(images), images.shape[-2:])

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to the logits at the model's own resolution, float32 [B, C, h, w]."""
        arguments = {} if self.task_tokens is None else {"task_inputs": self.task_tokens.expand(len(images), -1)}
        output = self.network(pixel_values=self.preprocessing.apply(images), **arguments)
        if hasattr(output, "masks_queries_logits"):
            raw = semantic_map(output.class_queries_logits, output.masks_queries_logits)
        else:
            raw = output.logits
        return self.mapping.apply(raw.float())


def semantic_map(class_logits: Tensor, mask_logits: Tensor) -> Tensor:
    """Log of the semantic map of a model of masks.

    Args:
        class_logits: float [B, Q, M + 1]; the last class is "no object".
        mask_logits: float [B, Q, h, w].

    Returns:
        float [B, M, h, w]: log of sum_q softmax(class)[q, m] * sigmoid(mask)[q, y, x]; not normalised over m (a softmax
        over it is).
    """
    classes = class_logits.float().softmax(-1)[..., :-1]
    total = torch.einsum("bqm,bqhw->bmhw", classes, mask_logits.float().sigmoid())
    return total.clamp_min(SMALLEST_PROBABILITY).log()


def load_hub_model(name: str, space: LabelSpace, device: str | torch.device = "cpu") -> HubModel:
    """Loads a transformers model and maps its classes by name; what stays unmapped is said once.

    Args:
        name: folder of a saved model, or its id on the hub. Code in the repository is never run, pickled weights are
            read as weights only.
        space: the label space wanted.
        device: where it works.

    Raises:
        UserError: transformers is not installed, the model cannot be had or is of another kind, or no class fits.
    """
    try:
        import transformers
    except ImportError as error:
        raise UserError(f"hf:{name} needs transformers, which is not installed; pip install 'seglift[hf]'") from error
    config = _fetch(transformers.AutoConfig.from_pretrained, name, trust_remote_code=False)
    universal = type(config) in transformers.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING
    if not universal and type(config) not in transformers.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING:
        raise UserError(
            f"hf:{name} is a {config.model_type} model, expected one for semantic segmentation (SegFormer, Mask2Former,"
            " OneFormer, ...); give another"
        )
    kinds = (transformers.AutoModelForSemanticSegmentation, transformers.AutoModelForUniversalSegmentation)
    network = _fetch(kinds[universal].from_pretrained, name, trust_remote_code=False)
    names = [str(config.id2label[number]) for number in sorted(config.id2label)]
    mapping = map_classes(names, space, f"hf:{name}")
    note = mapping.describe()
    if note is not None:
        say(f"hf:{name} mapped by name to {space.name}: {note}")
    tokens = _task_tokens(transformers, name, config) if config.model_type == ONEFORMER else None
    # Only read, not built: OneFormer's image processor would ask the hub for a file of its own.
    values, _ = _fetch(transformers.BaseImageProcessor.get_image_processor_dict, name)
    preprocessing = read_preprocessing(values)
    return HubModel(
        network.to(device), space.train_names, mapping, preprocessing, None if tokens is None else tokens.to(device)
    )


def read_preprocessing(values: Mapping[str, Any]) -> Preprocessing:
    """What a transformers image processor with these settings does, as far as a semantic model needs it.

    A size given as height and width (which would distort) counts by its shorter side.
    """
    factor = 255.0
    if values.get("do_rescale", True):
        factor *= float(values.get("rescale_factor") or 1 / 255)
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if values.get("do_normalize", True):
        mean = _triple(values.get("image_mean") or IMAGENET_MEAN)
        std = _triple(values.get("image_std") or IMAGENET_STD)
    side: int | None = None
    size = values.get("size")
    if size and values.get("do_resize", True):
        # Old processors wrote the short side as a bare number.
        sides = dict(size) if isinstance(size, Mapping) else {"shortest_edge": size}
        side = min((int(sides[key]) for key in ("shortest_edge", "height", "width") if sides.get(key)), default=None)
    return Preprocessing(factor, mean, std, bool(values.get("do_flip_channel_order", False)), side)


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _task_tokens(transformers: Any, name: str, config: Any) -> Tensor:
    """OneFormer's question, as token ids int64 [1, length] with 0 where padded."""
    tokenizer = _fetch(transformers.AutoTokenizer.from_pretrained, name, trust_remote_code=False)
    length = config.task_seq_len
    tokens = tokenizer(ONEFORMER_TASK, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    ids: Tensor = tokens["input_ids"] * tokens["attention_mask"]
    return ids


def _fetch(load: Callable[..., Any], name: str, **options: Any) -> Any:
    try:
        return load(name, **options)
    except BROKEN as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"cannot load hf:{name} ({reason}); expected a folder saved by transformers, or an id on the hub and a"
            " network to reach it"
        ) from error


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
