"""Weights and spaces are known by what is in them; a folder that moved goes on, a file that changed does not."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.base.weights import save_weights
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space_file import space_to_data
from seglift.models.sdcnet import SdcNet
from seglift.motion.named import weights_path
from seglift.motion.sdcnet import motion_metadata
from seglift.workflows.input_identity import (
    fingerprint_model,
    model_identity,
    model_path,
    motion_identity,
    space_identity,
)
from seglift.workflows.label.config import LabelConfig
from seglift.workflows.label.plan import make_plan


@pytest.mark.parametrize("identity", [model_identity, lambda spec: motion_identity(f"raft:{spec}")])
def test_a_file_is_its_content(tmp_path: Path, identity: Callable[[str], str]) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"one")
    shutil.copyfile(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    first = identity(str(tmp_path / "a.safetensors"))
    assert identity(str(tmp_path / "b.safetensors")) == first and str(tmp_path) not in first
    (tmp_path / "a.safetensors").write_bytes(b"two")
    assert identity(str(tmp_path / "a.safetensors")) != first


def test_a_folder_of_ours_is_its_weights(tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").write_bytes(b"one")
    first = model_identity(str(tmp_path))
    (tmp_path / "notes.txt").write_text("read by nobody")
    assert model_identity(str(tmp_path)) == first == model_identity(str(tmp_path / "best.safetensors"))


def test_a_transformers_folder_is_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config.json").write_text("{}")
    first = model_identity(f"hf:{tmp_path / 'a'}")
    (tmp_path / "a").rename(tmp_path / "b")
    assert model_identity(f"hf:{tmp_path / 'b'}") == first != model_identity(str(tmp_path / "b"))
    (tmp_path / "b" / "model.safetensors").write_bytes(b"x")
    assert model_identity(f"hf:{tmp_path / 'b'}") != first


def test_a_motion_network_is_also_the_weights_of_its_input_flow(tmp_path: Path) -> None:
    raft, arguments = tmp_path / "raft.pth", {"width_mult": 0.1}
    tensors = SdcNet(**arguments).state_dict()

    def identity(input_flow: str) -> str:
        described = motion_metadata({"architecture": "sdcnet2d", "arguments": arguments}, input_flow)
        save_weights(tmp_path / "motion" / "best.safetensors", tensors, described)
        return motion_identity(f"sdcnet:{tmp_path / 'motion'}")

    assert " on " not in identity("dis:fine")
    raft.write_bytes(b"one")
    first = identity(f"raft:{raft}")
    raft.write_bytes(b"two")
    assert identity(f"raft:{raft}") != first and str(tmp_path) not in first
    raft.write_bytes(b"one")
    assert identity(f"raft:{raft}") == first
    raft.unlink()
    with pytest.raises(UserError, match="cannot read the weights"):
        identity(f"raft:{raft}")


def test_names_stay_names() -> None:
    specs = ["auto", "none", "hf:someone/model"]
    assert [model_identity(spec) for spec in specs] == specs
    names = ["dis", "dis:fine", "raft", "raft:small", "raft:large"]
    assert [motion_identity(name) for name in names] == names and not any(map(weights_path, names))
    assert model_path("none") is None and weights_path("raft:x/y.pth") == Path("x/y.pth")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither a file nor a folder"):
        fingerprint_model(str(tmp_path / "no.safetensors"))
    with pytest.raises(UserError, match="cannot read the weights"):
        motion_identity(f"raft:{tmp_path / 'no.pth'}")


def test_a_space_is_its_classes() -> None:
    space = BUILTIN_SPACES["cityscapes"]
    name, classes = space_identity("cityscapes", space)
    assert name == "cityscapes"
    assert space_identity("./a.yaml", space) == space_identity("b.yaml", space) == ("file", classes)
    entry = space.classes[7]
    for change in ({"color": (1, 2, 3)}, {"name": "other"}):
        changed = (*space.classes[:7], dataclasses.replace(entry, **change), *space.classes[8:])
        assert space_identity("a.yaml", dataclasses.replace(space, classes=changed))[1] != classes


def test_a_plan_is_identified_without_paths(tmp_path: Path) -> None:
    for folder in ("frames", "keys"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "0.png"), np.full((8, 8), 7, np.uint8))
    raft, space = tmp_path / "r.pth", tmp_path / "s.json"
    raft.write_bytes(b"weights")
    space.write_text(json.dumps(space_to_data(BUILTIN_SPACES["cityscapes"])))

    def identity() -> dict[str, object]:
        options = {"space": str(space), "motion": f"raft:{raft}", "method": "motion", "device": "cpu"}
        return make_plan(LabelConfig(tmp_path / "frames", tmp_path / "keys", tmp_path / "out", **options)).identity()

    first = identity()
    assert str(tmp_path) not in json.dumps(first)
    raft, space = raft.rename(tmp_path / "q.pth"), space.rename(tmp_path / "t.json")
    assert identity() == first
    raft.write_bytes(b"others")
    assert {name for name, value in identity().items() if first[name] != value} == {"motion"}
