"""``synthesize`` with real motion and with a model, against what ``seglift label`` says of the same frames."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seglift.base.weights import save_weights
from seglift.models.sdcnet import SdcNet
from seglift.motion.sdcnet import motion_metadata

METHODS = {
    "motion": [],
    "motion paper": ["--settings", "paper"],
    "motion void": ["--out-of-view", "void"],
    "semantic": [],
    "semantic paper": ["--settings", "paper"],
    "inpaint": [],
    "inpaint tau": ["--tau", "12"],
    "inpaint paper": ["--settings", "paper"],
    "inpaint paper once": ["--settings", "paper", "--resample", "once", "--tau", "60"],
    "refine": [],
    "refine trained": ["--tau", "60"],
    "refine paper trained": ["--settings", "paper"],
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("confidence", [True, False])
def test_label_says_the_same(name, confidence, synthesize, result, run, root, model, refiner, tmp_path):
    method, more = name.split()[0], METHODS[name]
    if method != "motion":
        more = [*more, "--model", model]
    if "trained" in name:
        more = [*more, "--refiner", refiner]
    quiet = [] if confidence else ["--no-confidence"]
    synthesize(
        "--method", method, "--distances", "1-4", "--option", "every=9", "--option", "first=4", *more, *quiet
    ).done()
    frames, labels = root / "images/train/a", root / "labels/train/a"
    words = ["label", frames, "--labels", labels, "--space", "cityscapes", "--out", tmp_path / "labelled"]
    run(*words, "--method", method, "--device", "cpu", *more).done()
    pairs = [pair for pair in result().pairs if pair["clip"] == "a"]
    assert [pair["k"] for pair in pairs] == [-4, -3, -2, -1, 1, 2, 3, 4]
    for pair in pairs:
        for kind in ("label", "confidence"):
            if kind == "label" or confidence:
                folder = "labels" if kind == "label" else kind
                wanted = np.array(Image.open(tmp_path / "labelled" / folder / f"{pair['target_frame']}.png"))
                # Networks may round otherwise on another number of threads.
                found = result().read(pair, kind).astype(int)
                assert (found == wanted).mean() > 0.999 and (kind == "label" or np.abs(found - wanted).max() <= 1)
        assert ("confidence" in pair) == confidence


@pytest.mark.parametrize("more", [[], ["--settings", "paper"], ["--settings", "paper", "--resample", "once"]])
def test_instances_agree_with_labels_and_filled_pixels_are_plain(exact, more, synthesize, result, model, moving):
    synthesize("--method", "inpaint", "--model", model, *more).done()
    filled = 0
    for pair in result().pairs:
        label, instances = result().read(pair, "label"), result().read(pair, "instances")
        assert np.array_equal(np.where(instances >= 1000, instances // 1000, instances), label)
        _, ids, carried = moving.world("ab".index(pair["clip"]))
        columns = np.arange(moving.width) + moving.speed * pair["k"]
        outside = (columns < 0) | (columns >= moving.width)
        # What was out of view came from the model: no instance, though it may be of a thing. The product's vote lets
        # the replicated border stand against a model as unsure as this one of random weights.
        border = moving.part(carried, 4)[:, columns.clip(0, moving.width - 1)]
        replicated = (instances == border) & ("paper" not in more)
        assert ((instances < 1000) | replicated)[:, outside].all()
        filled += int((label != moving.shifted(moving.part(ids, 4), pair["k"])).sum())
        if "paper" in more:
            inside = np.s_[:, ~outside]
            assert np.array_equal(instances[inside], moving.shifted(moving.part(carried, 4), pair["k"])[inside])
    assert bool(filled) == ("paper" in more)


def test_semantic_needs_no_frames_on_the_way(synthesize, result, model, root):
    (root / "images/train/a/f05.png").write_bytes(b"")
    (root / "images/train/b/f05.png").write_bytes(b"")
    synthesize("--method", "semantic", "--model", model, "--distances", "3", "--threshold", "0.2").done()
    assert len(result().pairs) == 4 and "instances" not in result().pairs[0]


def test_no_model(synthesize, tmp_path):
    assert (
        "--model nowhere is neither a file nor a folder; give a checkpoint or hf:ID"
        in synthesize("--method", "semantic", "--model", "nowhere").error
    )
    assert "needs a segmentation model, but --model is none" in synthesize("--method", "inpaint").error


@pytest.mark.parametrize("workers", [1, 2])
def test_learned_motion(synthesize, result, tmp_path, workers):
    """A network that passes DIS flow on, as one does that has hardly been trained."""
    arguments = {"width_mult": 0.1, "start_from_flow": True}
    described = motion_metadata({"architecture": "sdcnet2d", "arguments": arguments}, "dis")
    save_weights(tmp_path / "motion/best.safetensors", SdcNet(**arguments).state_dict(), described)
    more = ["--pairs", "joint", "--distances", "2", "--workers", workers]
    synthesize("--motion", f"sdcnet:{tmp_path / 'motion'}", *more).done()
    synthesize(*more, out="dis").done()
    for one, other in zip(result().pairs, result("dis").pairs, strict=True):
        assert (result().read(one, "label") == result("dis").read(other, "label")).mean() > 0.9
        assert (result().folder / one["image"]).is_file()
