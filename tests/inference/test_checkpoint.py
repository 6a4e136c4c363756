from __future__ import annotations

import io
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from seglift.base.errors import UserError
from seglift.base.weights import load_weights, save_weights
from seglift.inference.checkpoint import load_checkpoint, segmentation_metadata
from seglift.inference.semantic_model import SemanticModel, load_model
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import get_space
from seglift.models.network import SegmentationNetwork
from seglift.models.zoo import build

SPACE = get_space("camvid11")


def config_of(num_classes: int) -> dict[str, Any]:
    arguments = {"num_classes": num_classes, "width": 8, "low_level": 8}
    return {"architecture": "compact_deeplab", "arguments": arguments}


def write(folder: Path, space: LabelSpace = SPACE, name: str = "best.safetensors") -> SegmentationNetwork:
    config = config_of(space.num_train)
    network = build(config, seed=3)
    metadata = segmentation_metadata(config, space.name, space.train_names, 96)
    save_weights(folder / name, network.state_dict(), metadata)
    return network.eval()


def test_round_trip_gives_the_same_logits(tmp_path: Path) -> None:
    network = write(tmp_path)
    images = torch.rand(1, 3, 40, 56)
    for spec in (tmp_path, str(tmp_path / "best.safetensors")):
        model = load_model(spec, SPACE)
        assert isinstance(model, SemanticModel)
        assert model.space_classes == SPACE.train_names
        # Equal up to rounding: the model works in another memory layout.
        assert torch.allclose(model.logits(images), network(images), atol=1e-5)
        assert torch.allclose(model.features(images), network.features(images), atol=1e-5)
        assert not model.logits(images).requires_grad
    assert load_checkpoint(tmp_path, SPACE).short_side == 96


def test_another_space_is_mapped_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = write(tmp_path)
    cityscapes = get_space("cityscapes")
    model = load_checkpoint(tmp_path, cityscapes)
    images = torch.rand(1, 3, 32, 32)
    raw, mapped = network(images), model.logits(images)
    assert mapped.shape == (1, 19, 32, 32)
    car = [name.lower() for name in SPACE.train_names].index("car"), cityscapes.train_names.index("car")
    assert torch.allclose(raw[:, car[0]], mapped[:, car[1]], atol=1e-6)
    assert "train" in model.mapping.unmapped_space
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "does not know" in told
    assert "train" in told


def test_same_space_with_another_class_count_is_refused(tmp_path: Path) -> None:
    write(tmp_path, LabelSpace(SPACE.name, SPACE.classes[:5], None))
    with pytest.raises(UserError, match=r"5 classes of camvid11, expected the 11"):
        load_checkpoint(tmp_path, SPACE)


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    classes = tuple(replace(entry, name=f"thing {n}") for n, entry in enumerate(SPACE.classes))
    write(tmp_path, LabelSpace("odd", classes, SPACE.ignore))
    with pytest.raises(UserError, match="none of them in camvid11"):
        load_checkpoint(tmp_path, SPACE)


class Malicious:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["best.safetensors", "model.pth"])
@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_a_pickle_is_refused_and_its_code_never_runs(tmp_path: Path, name: str, writer: str) -> None:
    proof, path = tmp_path / "ran", tmp_path / name
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Malicious(proof)))
    else:
        torch.save({"weights": Malicious(proof)}, path)
    with pytest.raises(UserError, match=r"not a safetensors|nothing but weights|damaged or no checkpoint"):
        load_model(path, SPACE)
    assert not proof.exists()
    # The trap works: a plain unpickling would have run the code.
    if writer == "torch":
        torch.load(io.BytesIO(path.read_bytes()), weights_only=False)
    else:
        pickle.loads(path.read_bytes())
    assert proof.exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no weights file"):
        load_model(tmp_path, SPACE)
    save_weights(tmp_path / "best.safetensors", {"w": torch.zeros(1)}, {"kind": "training state"})
    with pytest.raises(UserError, match="training state model, expected a segmentation model"):
        load_model(tmp_path, SPACE)
    (tmp_path / "empty.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="safetensors"):
        load_model(tmp_path / "empty.safetensors", SPACE)
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "config.json").write_text("{}")
    with pytest.raises(UserError, match="write hf:"):
        load_model(hub, SPACE)


def test_weights_that_do_not_fit_their_network_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    tensors, metadata = load_weights(tmp_path / "best.safetensors")
    tensors["classifier.weight"] = tensors["classifier.weight"][:4]
    save_weights(tmp_path / "best.safetensors", tensors, metadata)
    with pytest.raises(UserError, match=r"classifier\.weight is \(4, 8, 1, 1\), expected \(11, 8, 1, 1\)"):
        load_checkpoint(tmp_path, SPACE)


NETWORK = config_of(SPACE.num_train)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in ("network", "space", "classes")),
        *(("classes", value) for value in (3, "road", [1, 2], {"road": 1})),
        *(("short_side", value) for value in ("96", 0, -3, 1.5, True, [96])),
        *(("network", value) for value in ([], "compact_unet", {}, {"architecture": "nothing"})),
        *(("network", {**NETWORK, "arguments": value}) for value in (3, [1], {"num_classes": "many"}, {"odd": 1})),
        *(("network", {**NETWORK, "arguments": {"num_classes": value}}) for value in (-2, None, 1.5, [2])),
        ("network", {"architecture": "compact_unet", "arguments": {"num_classes": 11, "widths": []}}),
        ("network", {"architecture": "compact_unet", "arguments": {"num_classes": 11, "widths": "ab"}}),
    ],
)
def test_a_damaged_description_is_the_users_error(tmp_path: Path, name: str, value: Any) -> None:
    write(tmp_path)
    path = tmp_path / "best.safetensors"
    tensors, metadata = load_weights(path)
    del metadata[name]
    save_weights(path, tensors, metadata if value is None else {**metadata, name: value})
    with pytest.raises(UserError, match="train again") as caught:
        load_checkpoint(tmp_path, SPACE)
    assert str(path) in str(caught.value)
