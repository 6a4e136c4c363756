from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.inference.semantic_model import load_model
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.models.published import LAYOUTS
from seglift.models.zoo import build

LAYOUT = LAYOUTS["DeepR50V3PlusD_m1"]


@pytest.fixture(scope="module")
def released() -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """A state dict as it is released, an image and the logits it should get."""
    network = build(LAYOUT.config(19), seed=0).eval()
    images = torch.rand(1, 3, 48, 64)
    with torch.no_grad():
        logits = network(images)
    return {LAYOUT.published_name(name): t for name, t in network.state_dict().items()}, images, logits


@pytest.mark.parametrize(("suffix", "space"), [(".pth", "cityscapes"), (".pt", "kitti"), (".pth.tar", "cityscapes")])
def test_a_released_checkpoint_is_a_model(
    released: tuple[dict[str, Tensor], Tensor, Tensor], tmp_path: Path, suffix: str, space: str
) -> None:
    state, images, logits = released
    path = tmp_path / f"best{suffix}"
    torch.save({"state_dict": state}, path)
    model = load_model(path, BUILTIN_SPACES[space])
    assert model.space_classes == BUILTIN_SPACES[space].train_names
    assert torch.allclose(model.logits(images), logits, atol=1e-4)
    assert model.features(images).shape == (1, 256, 12, 16)


def test_other_classes_are_mapped_by_name(
    released: tuple[dict[str, Tensor], Tensor, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, images, logits = released
    torch.save(state, tmp_path / "best.pth")
    space = BUILTIN_SPACES["camvid11"]
    mapped = load_model(tmp_path / "best.pth", space).logits(images)
    assert mapped.shape[1] == 11
    road, sky = space.train_names.index("road"), space.train_names.index("sky")
    for channel, raw in ((road, 0), (sky, 10)):  # equal up to rounding: the model works in another memory layout
        assert torch.allclose(mapped[:, channel], logits[:, raw], atol=1e-4)
    assert "mapped by name" in capsys.readouterr().err


def test_a_number_of_classes_without_names_is_the_users_error(
    released: tuple[dict[str, Tensor], Tensor, Tensor], tmp_path: Path
) -> None:
    state = {**released[0], "final.6.weight": torch.zeros(5, 256, 1, 1)}
    torch.save(state, tmp_path / "best.pth")
    with pytest.raises(UserError, match=r"5 classes.*19 \(cityscapes\), 65 \(mapillary\), 11 \(camvid11\)"):
        load_model(tmp_path / "best.pth", BUILTIN_SPACES["cityscapes"])
    with pytest.raises(UserError, match=r"no checkpoint at .*gone\.pth"):
        load_model(tmp_path / "gone.pth", BUILTIN_SPACES["cityscapes"])
