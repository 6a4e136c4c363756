from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.weights import save_weights
from seglift.models.sdcnet import SdcNet
from seglift.motion.dis import DisFlow
from seglift.motion.estimator import wants_previous
from seglift.motion.named import get_estimator, looks_back, weights_path
from seglift.motion.sdcnet import SdcNetFlow, motion_metadata

ARGUMENTS = {"width_mult": 0.1, "start_from_flow": True}


class Flow:
    """A flow that tells which pair it is of: dx = source, dy = target, by their first values."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[int, int]] = Counter()

    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        pair = int(source[0, 0, 0, 0]), int(target[0, 0, 0, 0])
        self.asked[pair] += 1
        return torch.tensor(pair, dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, *source.shape[2:])


def frame(number: int) -> Tensor:
    return torch.full((1, 3, 20, 30), number, dtype=torch.uint8)


def write(folder: Path, kind: str = "motion", variant: str = "reconstruction", **metadata: object) -> Path:
    arguments = {**ARGUMENTS, "variant": variant}
    described = motion_metadata({"architecture": "sdcnet2d", "arguments": arguments}, "dis:fast") | {"kind": kind}
    save_weights(folder / "best.safetensors", SdcNet(**arguments).state_dict(), described | metadata)
    return folder


def test_reconstruction_sees_the_flow_onto_the_target():
    flow = SdcNetFlow(SdcNet("reconstruction", **ARGUMENTS), Flow())
    motion = flow(frame(5), frame(6), frame(4))
    assert torch.allclose(motion[0, :, 3, 3], torch.tensor([5.0, 6.0]), atol=1e-4)


def test_prediction_sees_only_what_was_before():
    flow = SdcNetFlow(SdcNet("prediction", **ARGUMENTS), Flow())
    assert torch.allclose(flow(frame(5), frame(6), frame(4))[0, :, 3, 3], torch.tensor([4.0, 5.0]), atol=1e-4)
    assert torch.equal(flow(frame(5), frame(6), frame(4)), flow(frame(5), frame(99), frame(4)))
    assert flow(frame(5), frame(6)).abs().max() < 1e-4  # nothing before: as if it had stood still


def test_frames_reach_the_network_in_the_order_of_time():
    network = SdcNet("reconstruction", width_mult=0.1)
    seen: list[tuple[Tensor, Tensor]] = []
    network.register_forward_pre_hook(lambda _, given: seen.append(given))
    flow = SdcNetFlow(network, Flow())
    flow(frame(51), frame(102), frame(0))
    images, flows = seen[0]
    assert images[0, :, 0, 0, 0].tolist() == pytest.approx([0.0, 0.2, 0.4])
    assert flows[0, :, :, 0, 0].tolist() == [[0, 51], [51, 102]]
    flow(frame(51).float() / 255, frame(102).float() / 255)
    images, flows = seen[1]
    assert images[0, :, 0, 0, 0].tolist() == pytest.approx([0.2, 0.2, 0.4])
    assert not flows[0, 0].any()


def test_neighbouring_steps_share_their_input_flows():
    inner, frames = Flow(), [frame(number) for number in range(6)]
    flow = SdcNetFlow(SdcNet("reconstruction", **ARGUMENTS), inner)
    for number in range(2, 6):
        flow(frames[number - 1], frames[number], frames[number - 2])
    assert inner.asked == {(number, number + 1): 1 for number in range(5)}


@pytest.mark.parametrize("name", ["folder", "file"])
def test_from_a_training(tmp_path: Path, name: str):
    folder = write(tmp_path / "run")
    estimator = get_estimator(f"sdcnet:{folder if name == 'folder' else folder / 'best.safetensors'}")
    assert isinstance(estimator, SdcNetFlow) and wants_previous(estimator)
    inner = estimator.input_flow.estimator
    assert isinstance(inner, DisFlow) and inner.preset == "fast"


def test_a_real_translation(tmp_path: Path):
    generator = torch.Generator().manual_seed(0)
    rough = torch.randint(0, 256, (1, 3, 20, 24), generator=generator, dtype=torch.uint8).float()
    big = torch.nn.functional.interpolate(rough, (120, 144), mode="bicubic").clamp(0, 255).to(torch.uint8)
    frames = [big[..., 10:106, 10 + 2 * step : 122 + 2 * step].contiguous() for step in range(3)]
    motion = get_estimator(f"sdcnet:{write(tmp_path / 'run')}")(frames[1], frames[2], frames[0])
    inner = motion[0, :, 16:-16, 16:-16]
    assert torch.allclose(inner.flatten(1).median(1).values, torch.tensor([2.0, 0.0]), atol=0.2)


def test_names():
    assert looks_back("sdcnet:runs/a") and not looks_back("raft:runs/a") and not looks_back("dis:fine")
    assert weights_path("sdcnet:runs/a") == Path("runs/a")
    assert not wants_previous(DisFlow())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "segmentation"}, "holds a segmentation model, expected a motion model"),
        ({"input_flow": 3}, "does not say which motion network"),
        ({"network": {"architecture": "unet"}}, "no motion network is called 'unet'"),
        ({"network": {"architecture": "sdcnet2d", "arguments": {"width_mult": 0.2}}}, "other tensors than its"),
        ({"input_flow": "magic"}, "motion 'magic' is unknown"),
    ],
)
def test_files_that_are_no_motion_models(tmp_path: Path, change: dict[str, object], said: str):
    with pytest.raises(UserError, match=said):
        get_estimator(f"sdcnet:{write(tmp_path / 'run', **change)}")


def test_nothing_there(tmp_path: Path):
    with pytest.raises(UserError, match="no weights file"):
        get_estimator(f"sdcnet:{tmp_path / 'no'}")
    with pytest.raises(UserError, match="lacks its checkpoint"):
        get_estimator("sdcnet")


def test_frames_of_two_sizes():
    with pytest.raises(ValueError, match="of one size"):
        SdcNetFlow(SdcNet("prediction", **ARGUMENTS), Flow())(frame(1), frame(2)[..., 1:])
