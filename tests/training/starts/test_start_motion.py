from __future__ import annotations

import pytest
import torch

from seglift.base.errors import UserError
from seglift.base.weights import save_weights
from seglift.models.sdcnet import FLOW_MEAN, FLOW_STD, build_sdcnet
from seglift.motion.sdcnet import motion_metadata
from seglift.training.starts.start_motion import start_motion


def config(**arguments):
    return {"architecture": "sdcnet2d", "arguments": {"width_mult": 0.0625, **arguments}}


@pytest.fixture
def own(tmp_path):
    values = config(variant="reconstruction", flow_mean=[1.0, 2.0], flow_std=[3.0, 4.0])
    network = build_sdcnet(values, seed=3)
    save_weights(tmp_path / "best.safetensors", network.state_dict(), motion_metadata(values, "dis:fine"))
    return tmp_path, network


def test_an_own_training_gives_weights_and_statistics(own):
    folder, network = own
    for spec in (folder, folder / "best.safetensors"):
        start = start_motion(str(spec), "reconstruction", 0.0625)
        assert all(torch.equal(tensor, start.tensors[name]) for name, tensor in network.state_dict().items())
        assert start.flow_mean == (1.0, 2.0)
        assert start.flow_std == (3.0, 4.0)


def test_a_released_checkpoint_gives_them_too(tmp_path):
    network = build_sdcnet({"architecture": "sdcnet2d", "arguments": {"variant": "prediction"}}, seed=0)
    path = tmp_path / "released.pth.tar"
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in network.state_dict().items()}}, path)
    start = start_motion(str(path), "prediction", 1.0)
    assert start.flow_mean == pytest.approx(FLOW_MEAN)
    assert start.flow_std == pytest.approx(FLOW_STD)
    assert torch.equal(start.tensors["final_flow.bias"], network.final_flow.bias)


def test_the_fingerprint_follows_the_weights(own):
    start = start_motion(str(own[0]), "reconstruction", 0.0625)
    known = start.fingerprint()
    start.tensors["final_flow.bias"] += 1
    assert start.fingerprint() != known


@pytest.mark.parametrize(
    ("variant", "width", "said"),
    [("prediction", 0.0625, "network.variant=reconstruction"), ("reconstruction", 0.125, "network.width_mult=0.0625")],
)
def test_weights_of_another_network_are_refused(own, variant, width, said):
    with pytest.raises(UserError, match=said):
        start_motion(str(own[0]), variant, width)


def test_nothing_usable_is_refused(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        start_motion(str(tmp_path / "nowhere.safetensors"), "reconstruction", 1.0)
    save_weights(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, {"kind": "segmentation"})
    with pytest.raises(UserError, match="expected a motion model"):
        start_motion(str(tmp_path / "x.safetensors"), "reconstruction", 1.0)
