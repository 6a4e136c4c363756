"""``seglift label --motion sdcnet:CKPT``: learned motion as a user runs it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from seglift.base.weights import save_weights
from seglift.models.sdcnet import SdcNet
from seglift.motion.sdcnet import motion_metadata


@pytest.fixture
def checkpoint(tmp_path):
    """A network that passes DIS flow on, as one does that has hardly been trained."""
    arguments = {"width_mult": 0.1, "start_from_flow": True}
    described = motion_metadata({"architecture": "sdcnet2d", "arguments": arguments}, "dis")
    save_weights(tmp_path / "motion" / "best.safetensors", SdcNet(**arguments).state_dict(), described)
    return tmp_path / "motion"


def labels(out):
    return np.stack([np.array(Image.open(path)) for path in sorted((out / "labels").iterdir())])


def test_a_network_that_passes_flow_on_labels_as_its_flow_does(clip, label, checkpoint, tmp_path):
    label(clip, tmp_path / "dis", "--method", "motion").done()
    label(clip, tmp_path / "sdc", "--method", "motion", "--motion", f"sdcnet:{checkpoint}").done()
    # Where there is no frame before the first keyframe the network sees no flow there; it uses the last one only.
    assert (labels(tmp_path / "dis") == labels(tmp_path / "sdc")).mean() > 0.999
    recorded = json.loads((tmp_path / "sdc" / "run.json").read_text())
    assert str(tmp_path) not in json.dumps(recorded.get("identity", {}))


def test_other_weights_are_another_run(clip, label, checkpoint, tmp_path):
    more = ("--method", "motion", "--motion", f"sdcnet:{checkpoint}")
    label(clip, tmp_path / "out", *more).done()
    arguments = {"width_mult": 0.2, "start_from_flow": True}
    described = motion_metadata({"architecture": "sdcnet2d", "arguments": arguments}, "dis")
    save_weights(checkpoint / "best.safetensors", SdcNet(**arguments).state_dict(), described)
    assert "motion" in label(clip, tmp_path / "out", *more).error
    label(clip, tmp_path / "out", *more, "--overwrite").done()


def test_weights_that_break_down(clip, label, tmp_path):
    arguments = {"width_mult": 0.1}
    tensors = SdcNet(**arguments).state_dict() | {"final_flow.bias": torch.full((2,), float("nan"))}
    described = motion_metadata({"architecture": "sdcnet2d", "arguments": arguments}, "dis")
    save_weights(tmp_path / "nan.safetensors", tensors, described)
    ran = label(clip, tmp_path / "out", "--method", "motion", "--motion", f"sdcnet:{tmp_path / 'nan.safetensors'}")
    assert "NaN or infinite flow" in ran.error


@pytest.mark.parametrize("name", ["sdcnet", "sdcnet:", "sdcnet:nothing/there"])
def test_no_weights(clip, label, tmp_path, name):
    ran = label(clip, tmp_path / "out", "--method", "motion", "--motion", name)
    assert name.split(":")[-1] in ran.error and not (tmp_path / "out").exists()
