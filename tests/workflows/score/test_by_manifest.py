"""Pairs of a synthesized dataset and their ground truth."""

from __future__ import annotations

import pytest

from seglift.base.errors import UserError
from seglift.workflows.outputs.manifest import read_manifest, write_manifest
from seglift.workflows.score.by_manifest import is_synthesized, pair_synthesized


def line(source, target, k, clip=None):
    label = f"labels/train/{source}/{target}.png"
    return {
        "dataset": "folder", "source_frame": source, "target_frame": target, "k": k, "method": "motion",
        "pairs": "label", "clip": clip, "image": label.replace("labels", "images"), "label": label, "key": "x",
    }  # fmt: skip


@pytest.fixture
def truth(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / "gt" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "gt"

    return make


def pair(folder, truth):
    found, missing = pair_synthesized(folder, truth)
    shown = [(str(a.relative_to(folder)), str(b.relative_to(truth)), distance) for a, b, distance in found]
    return shown, list(missing)


def test_a_target_of_several_sources(tmp_path, truth):
    write_manifest(tmp_path, [line("s5", "f4", -1), line("s5", "f7", 2), line("s9", "f7", -2), line("s9", "f8", -1)])
    assert is_synthesized(tmp_path) and len(read_manifest(tmp_path)) == 4
    assert pair(tmp_path, truth("f4", "f7", "f99")) == (
        [
            ("labels/train/s5/f4.png", "f4.png", 1),
            ("labels/train/s5/f7.png", "f7.png", 2),
            ("labels/train/s9/f7.png", "f7.png", 2),
        ],
        ["f99.png"],
    )


def test_names_of_cityscapes(tmp_path, truth):
    write_manifest(tmp_path, [line("bonn_000000_000019", "bonn_000000_000021_leftImg8bit", 2, "bonn_000000_000000")])
    found, _ = pair(tmp_path, truth("train/bonn/bonn_000000_000021_gtFine_labelIds"))
    assert found[0][1:] == ("train/bonn/bonn_000000_000021_gtFine_labelIds.png", 2)


def test_clips_whose_frames_have_the_same_names(tmp_path, truth):
    write_manifest(tmp_path, [line("a_f1", "f2", 1, "a"), line("b_f1", "f2", 1, "b"), line("x_a_f1", "f2", 1, "x/a")])
    folder = truth("train/a/f2", "train/b/f2", "train/c/f2")
    assert pair(tmp_path, folder) == (
        [("labels/train/a_f1/f2.png", "train/a/f2.png", 1), ("labels/train/b_f1/f2.png", "train/b/f2.png", 1)],
        ["train/c/f2.png"],
    )
    # Ground truth of one clip says nothing of another's frame of that name.
    assert pair(tmp_path, folder / "train/a") == ([], ["f2.png"])


def test_two_of_one(tmp_path, truth):
    write_manifest(tmp_path, [line("a_f1", "f2", 1, "a")])
    with pytest.raises(UserError, match=r"p/a/f2.png and q/a/f2.png .* both belong to f2 of a"):
        pair_synthesized(tmp_path, truth("p/a/f2", "q/a/f2"))


@pytest.mark.parametrize("text", ["{}", "[1]", "nothing", '{"target_frame": "a", "k": "far", "label": "l"}', "3"])
def test_no_manifest(tmp_path, truth, text):
    (tmp_path / "manifest.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"is no manifest of seglift synthesize"):
        pair_synthesized(tmp_path, truth("f1"))


def test_an_empty_manifest(tmp_path, truth):
    (tmp_path / "manifest.jsonl").touch()
    with pytest.raises(UserError, match=r"names no pair"):
        pair_synthesized(tmp_path, truth("f1"))
