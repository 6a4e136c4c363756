from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from seglift.base.errors import UserError
from seglift.base.weights import load_weights, save_weights

TENSORS = {
    "b.weight": torch.arange(6.0).reshape(2, 3),
    "a.count": torch.tensor(7),
    "c": torch.tensor([1, 255], dtype=torch.uint8),
    "half": torch.tensor([0.5, float("inf")], dtype=torch.float16),
    "empty": torch.zeros(0, 3),
}
METADATA = {"network": "compact", "classes": ["road", "Fußweg"], "width": 32, "nothing": None}


class Malicious:
    """Runs code when unpickled: makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


def test_round_trip(tmp_path: Path):
    save_weights(tmp_path / "deep" / "a.safetensors", TENSORS, METADATA)
    tensors, metadata = load_weights(tmp_path / "deep" / "a.safetensors")
    assert metadata == METADATA
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_another_reader_finds_the_same(tmp_path: Path):
    save_weights(tmp_path / "a.safetensors", TENSORS, METADATA)
    arrays = safetensors.numpy.load_file(tmp_path / "a.safetensors")
    assert np.array_equal(arrays["b.weight"], [[0, 1, 2], [3, 4, 5]])
    data = (tmp_path / "a.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["seglift"]) == METADATA


def test_parameters_views_and_shared_tensors(tmp_path: Path):
    shared = torch.arange(12.0).reshape(3, 4)
    parameter = torch.nn.Parameter(torch.ones(2))
    save_weights(tmp_path / "a", {"x": shared, "again": shared, "turned": shared.T[1:], "parameter": parameter}, {})
    shared.zero_()
    tensors, _ = load_weights(tmp_path / "a")
    assert torch.equal(tensors["x"], torch.arange(12.0).reshape(3, 4))
    assert torch.equal(tensors["again"], tensors["x"])
    assert torch.equal(tensors["turned"], tensors["x"].T[1:])
    assert torch.equal(tensors["parameter"], torch.ones(2))


def test_equal_input_gives_equal_bytes(tmp_path: Path):
    save_weights(tmp_path / "a", TENSORS, METADATA)
    save_weights(
        tmp_path / "b",
        {name: TENSORS[name].clone() for name in reversed(TENSORS)},
        {name: METADATA[name] for name in reversed(METADATA)},
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_no_file(tmp_path: Path):
    for path in (tmp_path / "nothing.safetensors", tmp_path):
        with pytest.raises(UserError, match="no weights file at"):
            load_weights(path)


@pytest.mark.parametrize("writer", ["pickle", "torch", "torch legacy"])
def test_a_pickle_is_refused_and_never_executed(tmp_path: Path, writer: str):
    path, marker = tmp_path / "a.safetensors", tmp_path / "executed"
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Malicious(marker)))
    else:
        torch.save({"w": Malicious(marker)}, path, _use_new_zipfile_serialization=writer == "torch")
    with pytest.raises(UserError, match="not a safetensors weights file"):
        load_weights(path)
    assert not marker.exists()
    if writer == "pickle":  # the trap works
        pickle.loads(path.read_bytes())
        assert marker.exists()


def test_safetensors_of_someone_else(tmp_path: Path):
    for metadata in (None, {"format": "pt"}):
        safetensors.numpy.save_file({"x": np.zeros(3, np.float32)}, tmp_path / "a.safetensors", metadata=metadata)
        with pytest.raises(UserError, match="without seglift's metadata"):
            load_weights(tmp_path / "a.safetensors")


@pytest.mark.parametrize("text", ["", "{", "not json", "[1]", "3", "null", '"kind"', "[" * 100_000])
def test_damaged_metadata_are_refused(tmp_path: Path, text: str):
    arrays = {"x": np.zeros(3, np.float32)}
    safetensors.numpy.save_file(arrays, tmp_path / "a.safetensors", metadata={"seglift": text})
    with pytest.raises(UserError, match="damaged seglift metadata"):
        load_weights(tmp_path / "a.safetensors")


def test_every_cut_off_file_is_refused(tmp_path: Path):
    save_weights(tmp_path / "whole", TENSORS, METADATA)
    data = (tmp_path / "whole").read_bytes()
    for length in (0, 1, 7, 8, 9, 40, len(data) // 2, len(data) - 1):
        (tmp_path / "cut").write_bytes(data[:length])
        with pytest.raises(UserError, match="not a safetensors weights file"):
            load_weights(tmp_path / "cut")


def test_metadata_without_meaning_elsewhere_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON compliant"):
        save_weights(tmp_path / "a", TENSORS, {"loss": float("nan")})
    assert not (tmp_path / "a").exists()


def test_a_full_disk_keeps_the_old_weights(tmp_path: Path, full_disk):
    save_weights(tmp_path / "a", {"x": torch.ones(3)}, {})
    with full_disk(), pytest.raises(UserError, match="cannot write"):
        save_weights(tmp_path / "a", {"x": torch.ones(30_000)}, {})
    assert torch.equal(load_weights(tmp_path / "a")[0]["x"], torch.ones(3))
