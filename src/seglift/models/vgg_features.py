"""The features of VGG-16 (Simonyan and Zisserman, ICLR 2015) after its first three poolings, for perceptual losses."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.models.published_file import read_state_dict

FILE_NAME = "vgg16-397923af.pth"
"""What torchvision calls its weights in torch's cache."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LAYERS = (4, 9, 16)
"""Numbers of the poolings whose outputs are the features."""
DEPTH = 10
"""Entries of torchvision's table of VGG-16 up to the third pooling."""


class VggFeatures(nn.Module):
    """Images float32 [B, 3, h, w] in 0..1 to three features [B, C_n, h / 2^n, w / 2^n]; its weights never change."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        self.features: nn.Sequential = make_layers(cfgs["D"][:DEPTH], batch_norm=False)
        for part in self.features:
            if isinstance(part, nn.ReLU):
                part.inplace = False
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """See the class."""
        values, found = (images - self.mean) / self.std, []
        for number, layer in enumerate(self.features):
            values = layer(values)
            if number in LAYERS:
                found.append(values)
        return found


def vgg_file(given: str | None) -> Path:
    """Where VGG-16's weights lie: the file that is given, else the one in torch's cache.

    Raises:
        UserError: it is not there.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / FILE_NAME if given is None else Path(given)
    if not path.is_file():
        advice = f"give torchvision's {FILE_NAME} as loss.vgg, or set loss.perceptual and loss.style to 0"
        raise UserError(f"perceptual and style loss need VGG-16's weights, there are none at {path}; {advice}")
    return path


def load_vgg_features(path: Path) -> VggFeatures:
    """The features with torchvision's weights, read without running any code.

    Raises:
        UserError: the file is no checkpoint, or not VGG-16's.
    """
    network = VggFeatures()
    wanted, found = network.state_dict(), read_state_dict(path)
    wrong = [name for name in wanted if name not in found or found[name].shape != wanted[name].shape]
    if wrong:
        raise UserError(f"{path} lacks {wrong[0]} of VGG-16 as torchvision names it; give torchvision's {FILE_NAME}")
    network.load_state_dict({name: found[name] for name in wanted})
    return network
