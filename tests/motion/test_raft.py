from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import URLError

import pytest
import safetensors.torch
import torch
from torch import Tensor
from torchvision.models.optical_flow import raft_large, raft_small

from seglift.base.errors import UserError
from seglift.motion.named import get_estimator
from seglift.motion.raft import RaftFlow

PUBLISHED_SMALL = "raft_small_C_T_V2-01064c6d.pth"


class Malicious:
    """Runs code when unpickled: makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


class StubNetwork(torch.nn.Module):
    """Answers with the mean difference of its two pictures and keeps what it was given."""

    def forward(self, first: Tensor, second: Tensor, num_flow_updates: int) -> list[Tensor]:
        self.first, self.second, self.updates = first, second, num_flow_updates
        ys, xs = torch.meshgrid(*(torch.arange(size, dtype=torch.float32) for size in first.shape[-2:]), indexing="ij")
        last = torch.stack((xs, ys)).expand(first.shape[0], -1, -1, -1)
        return [torch.full_like(last, torch.nan), last]


@pytest.fixture(scope="module")
def small() -> torch.nn.Module:
    torch.manual_seed(0)
    return raft_small(weights=None).eval()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of downloaded weights."""
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return folder


def same_weights(flow: RaftFlow, network: torch.nn.Module) -> bool:
    mine, theirs = flow.network.state_dict(), network.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_the_flow_is_on_the_target_and_samples_the_source():
    source, target = torch.zeros(2, 3, 100, 130), torch.ones(2, 3, 100, 130)
    network = StubNetwork()
    flow = RaftFlow(network, updates=5)(source, target, previous=source)
    # torchvision: "the flow from image1 to image2", on image1, so the target comes first.
    assert torch.equal(network.first, torch.ones(2, 3, 128, 136))
    assert torch.equal(network.second, torch.full((2, 3, 128, 136), -1.0))
    assert network.updates == 5
    assert flow.shape == (2, 2, 100, 130)  # the last update, padding cut off
    assert flow[1, :, 99, 129].tolist() == [129.0, 99.0]
    assert flow[0, :, 0, 0].tolist() == [0.0, 0.0]


def test_calls_from_several_threads_are_those_of_one(small: torch.nn.Module):
    estimator = RaftFlow(small, updates=2)
    pairs = [torch.rand(2, 1, 3, 128, 128, generator=torch.Generator().manual_seed(n)) for n in range(6)]
    alone = [estimator(*pair) for pair in pairs]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda pair: estimator(*pair), pairs))
    for expected, found in zip(alone, together, strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize(
    ("size", "padded"),
    [((128, 128), (128, 128)), ((136, 160), (136, 160)), ((129, 137), (136, 144)), ((1, 1), (128, 128))],
)
def test_pictures_are_padded_by_their_border(size: tuple[int, int], padded: tuple[int, int]):
    network = StubNetwork()
    image = torch.rand(1, 3, *size)
    assert RaftFlow(network)(image, image).shape == (1, 2, *size)
    seen = network.first
    assert seen.shape == (1, 3, *padded)
    assert torch.allclose(seen[..., : size[0], : size[1]], image * 2 - 1)
    assert torch.allclose(seen[..., -1, -1], image[..., -1, -1] * 2 - 1)


def test_bytes_and_floats_are_one():
    image = torch.randint(0, 256, (1, 3, 128, 128), dtype=torch.uint8)
    networks = StubNetwork(), StubNetwork()
    RaftFlow(networks[0])(image, image)
    RaftFlow(networks[1])(image / 255.0, image / 255.0)
    assert torch.equal(networks[0].first, networks[1].first)
    assert networks[0].first.dtype == torch.float32


def test_a_real_network_on_an_odd_size(small: torch.nn.Module):
    source, target = torch.rand(2, 1, 3, 100, 130, generator=torch.Generator().manual_seed(0))
    flow = RaftFlow(small, updates=1)(source, target)
    assert flow.shape == (1, 2, 100, 130)
    assert flow.dtype == torch.float32
    assert flow.isfinite().all()
    assert not flow.requires_grad
    assert not torch.equal(flow, RaftFlow(small, updates=1)(target, source))


@pytest.mark.parametrize("shapes", [((1, 3, 9, 9), (1, 3, 9, 8)), ((1, 1, 9, 9),) * 2, ((3, 9, 9),) * 2])
def test_pictures_of_other_shapes(shapes: tuple[tuple[int, ...], tuple[int, ...]]):
    with pytest.raises(ValueError, match=r"must both be \[B, 3, H, W\]"):
        RaftFlow(StubNetwork())(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.safetensors"])
def test_weights_from_a_file(tmp_path: Path, small: torch.nn.Module, name: str):
    if name.endswith("safetensors"):
        safetensors.torch.save_file(small.state_dict(), tmp_path / name)
    else:
        torch.save(small.state_dict(), tmp_path / name)
    flow = get_estimator(f"raft:{tmp_path / name}")
    assert isinstance(flow, RaftFlow)
    assert same_weights(flow, small)
    assert not flow.network.training


def test_weights_of_the_large_network_from_a_file(tmp_path: Path):
    large = raft_large(weights=None)
    torch.save(large.state_dict(), tmp_path / "w.pth")
    assert same_weights(RaftFlow.from_file(tmp_path / "w.pth"), large)


def test_weights_of_another_network(tmp_path: Path, small: torch.nn.Module):
    state = small.state_dict()
    name = next(name for name, value in state.items() if value.ndim == 4)
    for wrong in ({"x": torch.zeros(3)}, {**state, "x": torch.zeros(3)}, {**state, name: state[name][:1]}):
        torch.save(wrong, tmp_path / "w.pth")
        with pytest.raises(UserError, match="tensors that are not torchvision's RAFT"):
            RaftFlow.from_file(tmp_path / "w.pth")


@pytest.mark.parametrize("content", [[torch.zeros(3)], {"epoch": 3}, torch.zeros(3)])
def test_a_file_that_is_no_state_dict(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UserError, match="not a state dict of tensors"):
        RaftFlow.from_file(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 cut off", b"\x10" * 64])
def test_a_file_that_is_not_weights(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as weights"):
        RaftFlow.from_file(tmp_path / name)


@pytest.mark.parametrize("modern", [True, False])
def test_code_in_a_file_is_never_executed(tmp_path: Path, modern: bool):
    marker = tmp_path / "executed"
    torch.save({"w": Malicious(marker)}, tmp_path / "w.pth", _use_new_zipfile_serialization=modern)
    with pytest.raises(UserError, match="pickles are never executed"):
        RaftFlow.from_file(tmp_path / "w.pth")
    assert not marker.exists()
    torch.load(tmp_path / "w.pth", weights_only=False)  # the trap works
    assert marker.exists()


@pytest.mark.parametrize(
    "error",
    [
        URLError("no route"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
        http.client.IncompleteRead(b""),
        RuntimeError("invalid hash value"),
    ],
)
def test_published_weights_without_network(cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception):
    def fail(url: str, *args: object, **kwargs: object) -> None:
        assert url.endswith(PUBLISHED_SMALL)
        raise error

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(UserError, match=rf"{PUBLISHED_SMALL}.*cannot be downloaded .*use --motion dis"):
        get_estimator("raft")


def test_published_weights_from_the_cache(cache: Path, small: torch.nn.Module, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **kwargs: pytest.fail("went online"))
    torch.save(small.state_dict(), cache / PUBLISHED_SMALL)
    for name in ("raft", "raft:small"):
        flow = get_estimator(name)
        assert isinstance(flow, RaftFlow)
        assert same_weights(flow, small)


def test_code_in_the_cache_is_never_executed(cache: Path):
    marker = cache / "executed"
    torch.save({"w": Malicious(marker)}, cache / PUBLISHED_SMALL)
    with pytest.raises(UserError, match=PUBLISHED_SMALL):
        RaftFlow.published("small")
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"])
def test_a_damaged_cache(cache: Path, content: bytes):
    (cache / PUBLISHED_SMALL).write_bytes(content)
    with pytest.raises(UserError, match=PUBLISHED_SMALL):
        RaftFlow.published("small")
