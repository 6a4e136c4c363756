"""``seglift synthesize`` on exactly moving pictures: every label, picture and instance is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

VOID = 0


def test_real_pictures_with_carried_labels(exact, synthesize, result, moving, root, tmp_path):
    ran = synthesize().done()
    assert ran.out == f"8 pairs: {tmp_path / 'out'} (seglift train reads it as dataset: folder, split: train)\n"
    assert "8 pairs from 2 labelled frames (4 at 1, 4 at 3)\n" in ran.err
    found = result()
    assert found.targets() == [
        (f"{clip}_f04", k, f"f{4 + k:02d}") for clip in "ab" for k in (-3, -1, 1, 3)
    ]  # fmt: skip
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "space.yaml", "images", "labels", "instances", "confidence", "manifest.jsonl", "run.json", "timing.json",
        ".seglift-synthesize",
    }  # fmt: skip
    for seed, clip in enumerate("ab"):
        _, ids, instances = moving.world(seed)
        for pair in found.pairs[4 * seed : 4 * seed + 4]:
            place = f"train/{clip}_f04/{pair['target_frame']}.png"
            assert pair == {
                "dataset": "folder", "source_frame": f"{clip}_f04", "target_frame": pair["target_frame"],
                "k": pair["k"], "method": "motion", "pairs": "label", "clip": clip,
                "image": f"images/{place}", "label": f"labels/{place}", "confidence": f"confidence/{place}",
                "instances": f"instances/{place}",
            }  # fmt: skip
            real = root / f"images/train/{clip}/{pair['target_frame']}.png"
            assert (found.folder / pair["image"]).read_bytes() == real.read_bytes()
            label, number = found.read(pair, "label"), found.read(pair, "instances")
            assert label.dtype == np.uint8 and np.array_equal(label, moving.shifted(moving.part(ids, 4), pair["k"]))
            assert number.dtype == np.uint16
            assert np.array_equal(number, moving.shifted(moving.part(instances, 4), pair["k"]))
            confidence = found.read(pair, "confidence")
            assert confidence.dtype == np.uint8 and confidence.shape == label.shape
            out_of_view = np.arange(moving.width) + moving.speed * pair["k"]
            outside = (out_of_view < 0) | (out_of_view >= moving.width)
            assert confidence[:, outside].max() <= 128 < np.median(confidence[:, ~outside])


@pytest.mark.parametrize("resample", ["once", "recursive"])
def test_joint_pairs_carry_the_picture_too(exact, synthesize, result, moving, resample):
    synthesize("--pairs", "joint", "--resample", resample).done()
    for seed in range(2):
        image, ids, instances = moving.world(seed)
        for pair in result().pairs[4 * seed : 4 * seed + 4]:
            for kind, array in (("image", image), ("label", ids), ("instances", instances)):
                wanted = moving.shifted(moving.part(array, 4), pair["k"])
                assert np.array_equal(result().read(pair, kind), wanted), (kind, pair)


def test_joint_pictures_are_png(exact, synthesize, result, moving, tmp_path):
    data = moving.write_dataset(tmp_path / "bmp" / "data", suffix=".bmp")
    synthesize(data=data).done()
    assert {pair["image"][-4:] for pair in result().pairs} == {".bmp"}
    synthesize("--pairs", "joint", data=data, out="joint").done()
    assert {pair["image"][-4:] for pair in result("joint").pairs} == {".png"}


def test_out_of_view_may_be_void(exact, synthesize, result, moving):
    synthesize("--out-of-view", "void", "--pairs", "joint").done()
    for seed in range(2):
        image, ids, _ = moving.world(seed)
        for pair in result().pairs[4 * seed : 4 * seed + 4]:
            columns = np.arange(moving.width) + moving.speed * pair["k"]
            outside = (columns < 0) | (columns >= moving.width)
            wanted = moving.shifted(moving.part(ids, 4), pair["k"])
            wanted[:, outside] = VOID
            assert np.array_equal(result().read(pair, "label"), wanted)
            assert (result().read(pair, "instances")[:, outside] == VOID).all()
            assert (result().read(pair, "confidence")[:, outside] == 0).all()
            # The picture has no void: its border is replicated.
            assert np.array_equal(result().read(pair, "image"), moving.shifted(moving.part(image, 4), pair["k"]))


def test_without_confidence_a_step_costs_one_flow(exact, synthesize, result):
    synthesize("--no-confidence").done()
    assert exact.asked == 2 * 2 * 3
    assert not (result().folder / "confidence").exists() and "confidence" not in result().pairs[0]
    exact.asked = 0
    synthesize(out="with").done()
    assert exact.asked == 2 * 2 * 3 * 2
    for one, other in zip(result().pairs, result("with").pairs, strict=True):
        assert np.array_equal(result().read(one, "label"), result("with").read(other, "label"))


def test_directions_ranges_and_the_ends_of_the_video(exact, synthesize, result):
    ran = synthesize("--distances", "3-5,1", "--direction", "forward").done()
    assert result().targets() == [(f"{clip}_f04", k, f"f{4 + k:02d}") for clip in "ab" for k in (1, 3, 4)]
    assert "6 pairs from 2 labelled frames (2 at 1, 2 at 3, 2 at 4, 0 at 5)" in ran.err
    assert "neighbours left out: 2 because the video ends or lacks the frame" in ran.err
    synthesize("--distances", "2", "--direction", "backward", out="back").done()
    assert result("back").targets() == [("a_f04", -2, "f02"), ("b_f04", -2, "f02")]


def test_the_folder_says_how_it_was_made(exact, synthesize, tmp_path):
    synthesize("--seed", "7", "--settings", "paper").done()
    run = json.loads((tmp_path / "out/run.json").read_text())
    assert run["command"] == "synthesize" and run["options"]["resample"] == "recursive"
    assert run["options"]["seed"] == 7 and run["options"]["distances"] == [1, 3] and run["options"]["device"] == "cpu"
    assert set(run["versions"]) >= {"seglift", "torch", "numpy"} and set(run["sources"]) == {"a_f04", "b_f04"}
    assert run["planned"] == {"pairs": 8, "by_distance": {"1": 4, "3": 4}}
    timing = json.loads((tmp_path / "out/timing.json").read_text())
    assert timing["pairs_made"] == 8 and timing["frames_per_second"] > 0


def test_other_commands_read_it(exact, synthesize, run, tmp_path, moving):
    synthesize().done()
    out = tmp_path / "out"
    assert "8 images, 8 of them with label" in run("check", "folder", "--root", out).done().out
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "kind: segmentation\ntrain:\n- {dataset: folder, name: human, quota: 0.3}\n"
        "- {dataset: folder, name: propagated, quota: 0.7}\n"
        "network: {architecture: compact_deeplab, arguments: {width: 8, low_level: 8}}\n"
        "epoch_size: 8\ncrop: [32, 32]\nbatch: 2\nfit: {steps: 2}\n"
    )
    roots = ("--root", f"human={tmp_path / 'data'}", "--root", f"propagated={out}")
    run("train", recipe, *roots, "--out", tmp_path / "model", "--dry-run", "--device", "cpu").done()
    scores = tmp_path / "s.json"
    ran = run("score", out, tmp_path / "truth", "--space", "cityscapes", "--json", scores).done()
    assert "By distance" in ran.out and "10 frames of the ground truth have no prediction" in ran.out
    found = json.loads(scores.read_text())
    assert found["frames"] == 8 and set(found["by_distance"]) == {"1", "3"}
    # What is in view is right to the pixel; only the replicated border may be wrong.
    for k in (1, 3):
        in_view = 1 - moving.speed * k / moving.width
        assert in_view <= found["by_distance"][str(k)]["pixel_accuracy"] < 1
    error = run("score", out, tmp_path / "truth", "--space", "cityscapes", "--keyframes", tmp_path).error
    assert "is a synthesized dataset" in error and "leave --keyframes out" in error


def test_workers_change_no_byte(exact, synthesize, tree, tmp_path, moving):
    data = moving.write_dataset(tmp_path / "many" / "data", clips="abcde", labelled=(2, 6))
    for workers in (1, 2, 3):
        synthesize("--workers", workers, data=data, out=str(workers)).done()
    skip = ("timing.json", ".seglift-synthesize")
    assert tree(tmp_path / "1", skip) == tree(tmp_path / "2", skip) == tree(tmp_path / "3", skip)
    journal = tmp_path / "2/.seglift-synthesize/journal.jsonl"
    assert len(journal.read_text().split()) > 10


def test_dry_run(exact, synthesize, tmp_path):
    ran = synthesize("--distances", "1-3,30", "--dry-run").done()
    assert not (tmp_path / "out").exists()
    assert "folder train: 18 images, 16 of them without label" in ran.out
    assert "12 pairs from 2 labelled frames (4 at 1, 4 at 2, 4 at 3, 0 at 30)" in ran.out
    assert "4 because the video ends or lacks the frame" in ran.out
    assert "frames of 56x40; method motion, pairs label" in ran.out and "of 12 steps" in ran.out
    assert "of disk space" in ran.out
    synthesize().done()
    ran = synthesize("--dry-run").done()
    assert "2 of 2 labelled frames are up to date" in ran.out and "of 0 steps" in ran.out


def test_an_estimator_that_looks_back_sees_real_frames_beyond_the_distances(exact, synthesize, monkeypatch, moving):
    seen = []
    look = exact.__class__.__call__

    def looking(self, source, target, previous=None):
        if previous is not None:
            ahead = source[..., moving.speed :].equal(previous[..., : -moving.speed])
            back = previous[..., moving.speed :].equal(source[..., : -moving.speed])
            seen.append(bool(ahead or back))
        return look(self, source, target)

    monkeypatch.setattr(exact.__class__, "__call__", looking)
    monkeypatch.setattr(exact.__class__, "wants_previous", True, raising=False)
    synthesize("--pairs", "joint", "--distances", "2", "--no-confidence").done()
    assert seen == [True] * 8
