from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.models.published import LAYOUTS, expected_shapes, from_tensors, load_published
from seglift.models.zoo import build

SMALLEST = "DeepR50V3PlusD_m1"
# SHA-256 of the sorted lines "name shape" of the state dicts of the original networks (19 classes).
ORIGINAL_NAMES = {
    "DeepR50V3PlusD_m1": "a74768f3a48e6fa52867fce602413837594356cf553bbebbc101fdecf8c5fac6",
    "DeepSRNX50V3PlusD_m1": "1df989c876736c70bedfc441b1f481e41b61b1762e0103fe3514bce271a97430",
    "DeepWV3Plus": "a9c83cec2a26d0ecf4c37ae3df97b1491f5219ad154dbf0bdd0d9599b8e3d35c",
}
# Logits of the original networks (github.com/NVIDIA/semantic-segmentation, branch sdcnet) with the weights and the
# image below: classes 0, 7 and 18 at (0, 0), (31, 40), (63, 95).
ORIGINAL_LOGITS = {
    "DeepR50V3PlusD_m1": [
        [0.097945, -0.017683, 0.008456],
        [-0.056263, -0.034324, 0.875848],
        [0.248828, 0.016884, 0.254979],
    ],
    "DeepSRNX50V3PlusD_m1": [
        [0.232828, -0.123659, 0.361214],
        [-0.067838, 0.050971, 0.518625],
        [0.21458, -0.033479, 0.241441],
    ],
    "DeepWV3Plus": [[2.446057, 0.29115, 1.316423], [5.977705, 0.944449, 2.873689], [2.238835, -0.386486, 3.643414]],
}


def shape_text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def noise(count: int, key: str) -> Tensor:
    """Uniform in -1..1, the same everywhere: an integer hash (lowbias32) of counter and key; repeats after 4093."""
    x = np.arange(min(count, 4093), dtype=np.uint64) + np.uint64(zlib.crc32(key.encode()))
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return torch.from_numpy(np.resize((x / 2**31 - 1).astype(np.float32), count))


def made_up(name: str, shape: tuple[int, ...]) -> Tensor:
    """Weights that keep activations alive: spread by fan in, scales around 1, a few per cent of everything else."""
    if not shape:
        return torch.tensor(7)
    values = noise(int(np.prod(shape)), name).reshape(shape)
    if len(shape) == 4:
        return values * (4 / np.prod(shape[1:])) ** 0.5
    if name.endswith("running_var"):
        return 1.5 + values
    return (1 if name.endswith("weight") else 0) + 0.3 * values


def state_of(name: str, num_classes: int = 19) -> dict[str, Tensor]:
    return {published: made_up(published, shape) for published, shape in expected_shapes(name, num_classes).items()}


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return state_of(SMALLEST)


@pytest.mark.parametrize("name", sorted(ORIGINAL_NAMES))
def test_names_and_shapes_are_the_original_ones(name: str) -> None:
    lines = sorted(f"{tensor} {shape_text(shape)}" for tensor, shape in expected_shapes(name, 19).items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == ORIGINAL_NAMES[name]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_names_and_shapes_are_those_of_the_lists(name: str) -> None:
    if "SEGLIFT_DATA" not in os.environ:
        pytest.skip("SEGLIFT_DATA is not set: no lists of the released tensors")
    files = {"HRNet": "hrnet_ocr", "HRNet_Mscale": "hrnet_ocr_mscale"}
    path = Path(os.environ["SEGLIFT_DATA"]) / "reference" / f"nvidia_{files.get(name, name)}.txt"
    if not path.exists():
        pytest.skip(f"no list {path.name}")
    listed = dict(line.split()[:2] for line in path.read_text().splitlines() if line.strip())
    assert {tensor: shape_text(shape) for tensor, shape in expected_shapes(name, 19).items()} == listed


@pytest.mark.parametrize("name", sorted(ORIGINAL_LOGITS))
@torch.no_grad()
def test_logits_are_those_of_the_original_network(name: str) -> None:
    model = from_tensors(state_of(name), "made up")
    assert model.layout == name
    assert not model.network.training
    image = (noise(3 * 64 * 96, "image").reshape(1, 3, 64, 96) + 1) / 2
    logits = model.network(image)
    found = torch.stack([logits[0, [0, 7, 18], y, x] for y, x in ((0, 0), (31, 40), (63, 95))])
    expected = torch.tensor(ORIGINAL_LOGITS[name])
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_every_tensor_arrives_once(state: dict[str, Tensor]) -> None:
    model = from_tensors(state, "made up")
    rename = LAYOUTS[SMALLEST].published_name
    arrived = {rename(ours): tensor for ours, tensor in model.network.state_dict().items()}
    assert len(arrived) == len(model.network.state_dict())
    assert arrived.keys() == state.keys()
    assert all(torch.equal(tensor, arrived[name]) for name, tensor in state.items())
    rebuilt = build(model.config)
    rebuilt.load_state_dict(model.network.state_dict())
    assert model.config["arguments"]["align_corners"] is True


@pytest.mark.parametrize(
    ("count", "space", "first"), [(19, "cityscapes", "road"), (65, "mapillary", "Bird"), (11, "camvid11", "sky")]
)
def test_the_number_of_classes_tells_the_release(state: dict[str, Tensor], count: int, space: str, first: str) -> None:
    resized = {**state, "final.6.weight": torch.zeros(count, 256, 1, 1)}
    model = from_tensors(resized, "made up")
    assert (model.space, model.classes[0], len(model.classes)) == (space, first, count)


def test_other_numbers_of_classes_load_without_names(state: dict[str, Tensor]) -> None:
    model = from_tensors({**state, "final.6.weight": torch.zeros(5, 256, 1, 1)}, "made up")
    assert (model.space, model.classes, model.network.num_classes) == (None, (), 5)


@pytest.mark.parametrize("old", [False, True])
def test_files_as_they_are_released(state: dict[str, Tensor], tmp_path: Path, old: bool) -> None:
    path = tmp_path / "best.pth"
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    content = {"state_dict": wrapped, "optimizer": {"lr": 0.1}, "epoch": 3, "mean_iu": np.float64(0.8), "command": "x"}
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    if old:  # names of numpy's modules as numpy 1 wrote them
        path.write_bytes(path.read_bytes().replace(b"numpy._core", b"numpy.core"))
    network = load_published(path).network
    assert torch.equal(network.classifier.weight, state["final.6.weight"])


def test_counters_and_losses_may_be_absent_or_there(state: dict[str, Tensor]) -> None:
    bare = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    assert len(bare) < len(state)
    network = from_tensors({**bare, "criterion.weight": torch.ones(19)}, "made up").network
    assert torch.equal(network.classifier.weight, state["final.6.weight"])


def test_differences_are_named(state: dict[str, Tensor]) -> None:
    missing = {name: tensor for name, tensor in state.items() if name != "layer3.2.bn2.weight"}
    with pytest.raises(UserError, match=r"x\.pth looks like .*ResNet-50.*layer3\.2\.bn2\.weight is missing \(1 diff"):
        from_tensors(missing, "x.pth")
    without_class = {name: tensor for name, tensor in state.items() if name != "final.6.weight"}
    with pytest.raises(UserError, match=r"final\.6\.weight is missing \(1 diff"):
        from_tensors(without_class, "x.pth")
    with pytest.raises(UserError, match=r"layer9\.weight is left over \(1 diff"):
        from_tensors({**state, "layer9.weight": torch.zeros(1)}, "x.pth")
    with pytest.raises(UserError, match=r"final\.0\.weight is 256x300x3x3, expected 256x304x3x3 \(1 diff"):
        from_tensors({**state, "final.0.weight": torch.zeros(256, 300, 3, 3)}, "x.pth")
    one_counter = {name: tensor for name, tensor in state.items() if name != "final.1.num_batches_tracked"}
    with pytest.raises(UserError, match=r"final\.1\.num_batches_tracked is missing"):
        from_tensors(one_counter, "x.pth")
    with pytest.raises(UserError, match=r"x\.pth holds 1 tensors \(w, \.\.\.\).*WideResNet-38"):
        from_tensors({"w": torch.zeros(1)}, "x.pth")
    with pytest.raises(UserError) as caught:
        from_tensors({**missing, "layer9.weight": torch.zeros(1), "final.0.weight": torch.zeros(2)}, "x.pth")
    assert "\n" not in str(caught.value) and "3 differences" in str(caught.value)
