from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.propagation.spill import FLOW_STEP, PENDING, Spill, pack_motion, pack_state, unpack_motion, unpack_state
from seglift.propagation.state import Origin, Propagated, StepMotion, keyframe_state

CPU = torch.device("cpu")


def some_state(origin: Origin, seed: int = 0) -> Propagated:
    height, width = origin.labels.shape[1:]
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([width - 1.0, height - 1.0, 30.0, 1.0]).view(1, 4, 1, 1)
    trace = (torch.rand(1, 4, height, width, generator=generator) * scale).contiguous(memory_format=torch.channels_last)
    filled = torch.rand(1, height, width, generator=generator) < 0.5
    photometric = torch.randint(0, 256, (1, height, width), dtype=torch.uint8, generator=generator)
    return Propagated(origin.labels.flip(1), trace, filled, origin, 5, photometric)


def round_trip(spill: Spill, arrays: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    spill.save("kind", 3, lambda: arrays)
    spill.flush()
    loaded = Spill(spill.folder).load("kind", 3, CPU)
    assert loaded is not None
    return loaded


def test_motion_comes_back_exactly(tmp_path: Path):
    units = torch.arange(-32767, 32768)[:65520].view(1, 2, 180, 182)
    motion = StepMotion(units * FLOW_STEP, torch.rand(1, 180, 182).half().float())
    loaded = unpack_motion(round_trip(Spill(tmp_path), pack_motion(motion)))
    assert torch.equal(loaded.flow, motion.flow)
    assert torch.equal(loaded.error, motion.error)
    assert loaded.flow.dtype == loaded.error.dtype == torch.float32
    beyond = StepMotion(torch.tensor([1e6, -1e6]).view(1, 2, 1, 1), torch.zeros(1, 1, 1))
    assert unpack_motion(pack_motion(beyond)).flow.flatten().tolist() == [32767 * FLOW_STEP, -32767 * FLOW_STEP]


def test_motion_between_the_steps_is_rounded():
    flow = torch.rand(1, 2, 40, 50, generator=torch.Generator().manual_seed(1)) * 60 - 30
    loaded = unpack_motion(pack_motion(StepMotion(flow, torch.zeros(1, 40, 50))))
    assert 0 < (loaded.flow - flow).abs().max() <= FLOW_STEP / 2 + 1e-6


def test_a_checkpoint_comes_back_exactly(tmp_path: Path, make_origin):
    origin = make_origin(20, 30)
    state = some_state(origin)
    loaded = unpack_state(round_trip(Spill(tmp_path), pack_state(state, exact=True)), origin)
    assert torch.equal(loaded.trace, state.trace)
    assert torch.equal(loaded.labels, state.labels)
    assert torch.equal(loaded.filled, state.filled)
    assert loaded.filled.dtype == torch.bool
    assert loaded.distance == 5
    assert loaded.origin is origin


@pytest.mark.parametrize("size", [(20, 30), (3, 400), (1, 1)])
def test_what_fusing_reads_comes_back_to_a_small_part_of_a_pixel(tmp_path: Path, make_origin, size: tuple[int, int]):
    origin = make_origin(*size)
    state = some_state(origin)
    loaded = unpack_state(round_trip(Spill(tmp_path), pack_state(state, exact=False)), origin)
    assert torch.equal(loaded.labels, state.labels)
    assert torch.equal(loaded.filled, state.filled)
    assert loaded.photometric is not None
    assert torch.equal(loaded.photometric, state.photometric)
    assert loaded.distance == 5
    assert (loaded.sampling_map - state.sampling_map).abs().max() <= (max(size) + 2) / 65535 * 0.51
    assert torch.equal(loaded.trace[:, 2:], state.trace[:, 2:].half().float())


def test_packing_again_changes_nothing_more(make_origin):
    origin = make_origin(20, 30)
    once = unpack_state(pack_state(some_state(origin), exact=False), origin)
    twice = unpack_state(pack_state(once, exact=False), origin)
    assert torch.equal(once.trace, twice.trace)


def test_packing_leaves_the_state_as_it_was(make_origin):
    state = some_state(make_origin())
    trace = state.trace.clone()
    pack_state(state, exact=False)
    assert torch.equal(state.trace, trace)


def test_nobody_looked(make_origin):
    origin = make_origin()
    state = keyframe_state(origin)
    assert unpack_state(pack_state(state, exact=False), origin).photometric is None
    assert unpack_state(pack_state(replace(state, distance=3), exact=True), origin).distance == 3


def test_the_stated_size_on_disk_is_about_right(tmp_path: Path, make_origin):
    from seglift.propagation.spill import BYTES_PER_PIXEL

    spill, pixels = Spill(tmp_path), 60 * 80
    state = some_state(make_origin(60, 80))
    spill.save("left", 0, lambda: pack_state(state, exact=False))
    spill.save("motion", 0, lambda: pack_motion(StepMotion(torch.zeros(1, 2, 60, 80), torch.zeros(1, 60, 80))))
    spill.flush()
    written = sum(path.stat().st_size for path in tmp_path.iterdir()) / pixels
    assert 0.8 * BYTES_PER_PIXEL < written < 1.2 * BYTES_PER_PIXEL


def test_kinds_and_frames_are_kept_apart(tmp_path: Path):
    spill = Spill(tmp_path / "made" / "when needed")
    assert spill.indices("left") == []
    assert not spill.folder.exists()
    for kind, index in (("left", 12), ("left", 3), ("right", 5), ("left", 100)):
        spill.save(kind, index, lambda index=index: {"x": torch.tensor([index])})
    spill.flush()
    assert spill.indices("left") == [3, 12, 100]
    assert spill.indices("right") == [5]
    loaded = spill.load("left", 12, CPU)
    assert loaded is not None
    assert loaded["x"].tolist() == [12]
    assert spill.load("right", 12, CPU) is None
    spill.remove("left", 12)
    spill.remove("left", 12)
    assert spill.indices("left") == [3, 100]
    spill.save("left", 7, lambda: {"x": torch.zeros(1)})
    spill.clear()
    assert not spill.folder.exists()
    spill.clear()


def test_the_last_of_several_under_one_name_counts(tmp_path: Path):
    spill = Spill(tmp_path)
    for value in range(10):
        spill.save("left", 1, lambda value=value: {"x": torch.full((value + 1,), value)})
    spill.flush()
    loaded = spill.load("left", 1, CPU)
    assert loaded is not None
    assert loaded["x"].tolist() == [9] * 10
    assert [path.name for path in tmp_path.iterdir()] == ["left-0000001.safetensors"]


def test_a_cut_off_file_counts_as_absent(tmp_path: Path):
    spill = Spill(tmp_path)
    spill.save("left", 1, lambda: {"x": torch.arange(20), "y": torch.zeros(3, 4)})
    spill.flush()
    path = next(tmp_path.iterdir())
    data = path.read_bytes()
    for length in [*range(0, len(data), 7), len(data) - 1]:
        path.write_bytes(data[:length])
        assert spill.load("left", 1, CPU) is None
    path.write_bytes(data)
    assert spill.load("left", 1, CPU) is not None


def test_half_written_files_do_not_exist(tmp_path: Path):
    (tmp_path / "left-0000001.part").write_bytes(b"half")
    spill = Spill(tmp_path)
    assert spill.indices("left") == []
    assert spill.load("left", 1, CPU) is None


def test_a_full_disk_comes_up_at_last_when_flushing(tmp_path: Path, full_disk):
    spill = Spill(tmp_path)
    with full_disk():
        spill.save("left", 1, lambda: {"x": torch.zeros(10_000)})
        with pytest.raises(UserError, match=r"cannot write .*left-0000001.*; free disk space"):
            spill.flush()
    assert spill.load("left", 1, CPU) is None
    assert spill.indices("left") == []


def test_errors_come_up_while_saving_goes_on(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    spill = Spill(tmp_path / "file" / "below")
    with pytest.raises(UserError, match="cannot write"):
        for index in range(PENDING + 2):
            spill.save("left", index, lambda: {"x": torch.zeros(1)})


def test_few_entries_wait(tmp_path: Path):
    packed: list[int] = []

    def pack(index: int) -> dict[str, torch.Tensor]:
        packed.append(index)
        return {"x": torch.zeros(1)}

    spill = Spill(tmp_path)
    for index in range(12):
        spill.save("left", index, lambda index=index: pack(index))
        assert len(packed) >= index + 1 - PENDING
    spill.flush()
    assert packed == list(range(12))


def test_equal_entries_are_equal_bytes(tmp_path: Path, make_origin):
    state = some_state(make_origin())
    for name in ("a", "b"):
        spill = Spill(tmp_path / name)
        spill.save("left", 1, lambda: pack_state(state, exact=True))
        spill.flush()
    first, second = (np.fromfile(tmp_path / name / "left-0000001.safetensors", np.uint8) for name in ("a", "b"))
    assert np.array_equal(first, second)
