"""``seglift predict`` as users run it, against what the network itself says."""

from __future__ import annotations

import importlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from seglift.base.weights import save_weights
from seglift.inference.checkpoint import segmentation_metadata
from seglift.labels.space_file import get_space
from seglift.models.zoo import build

SPACE = get_space("cityscapes")
IDS = np.array([entry.id for entry in sorted(SPACE.classes, key=lambda c: c.train_id) if entry.train_id != 255])
CITIES = {
    "berlin_000000_000019": (40, 56), "berlin_000001_000019": (40, 56), "bonn_000000_000019": (48, 33),
    "bonn_000002_000019": (33, 61),
}  # fmt: skip


def write_model(folder, space=SPACE, short_side=64, seed=3, spoil=False):
    """A network with random weights, as a checkpoint."""
    config = {
        "architecture": "compact_deeplab",
        "arguments": {"num_classes": space.num_train, "width": 8, "low_level": 8},
    }
    network = build(config, seed=seed).eval()
    tensors = {name: tensor * (torch.nan if spoil else 1) for name, tensor in network.state_dict().items()}
    save_weights(
        folder / "best.safetensors", tensors, segmentation_metadata(config, space.name, space.train_names, short_side)
    )
    return network


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """What the fixture ``model`` writes."""
    return write_model(tmp_path_factory.mktemp("network"))


@pytest.fixture
def model(tmp_path):
    write_model(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def tree(tmp_path, save):
    """leftImg8bit/test/CITY, images of several sizes."""
    root = tmp_path / "leftImg8bit/test"
    for number, (stem, (height, width)) in enumerate(CITIES.items()):
        rng = np.random.default_rng(number)
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        image = np.array(Image.fromarray(coarse).resize((width, height)))
        save(root / stem.split("_", maxsplit=1)[0] / f"{stem}_leftImg8bit.png", image)
    return root


@pytest.fixture
def predict(run, model, tmp_path):
    def predict(frames, *more, out="out"):
        return run("predict", frames, "--model", model, "--space", "cityscapes", "--out", tmp_path / out, *more)

    return predict


def images_of(path):
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255


@torch.no_grad()
def logits_of(network, path):
    return network(images_of(path))


def same_ids(path, logits):
    found, wanted = np.array(Image.open(path)), IDS[logits.argmax(1)[0].numpy()]
    assert found.dtype == np.uint8 and found.shape == wanted.shape
    sure = logits.topk(2, 1).values[0]
    clear = (sure[0] - sure[1] > 1e-5).numpy()
    assert clear.mean() > 0.99 and (found[clear] == wanted[clear]).all()


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def test_a_tree_in_the_official_layout(predict, network, tree, tmp_path, run, monkeypatch):
    ran = predict(tree).done()
    assert ran.out == f"labels: {tmp_path / 'out/labels'}\n"
    names = {str(path.relative_to(tree)) for path in tree.rglob("*.png")}
    assert files(tmp_path / "out/labels").keys() == names
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "labels", "run.json", "timing.json", ".seglift-predict",
    }  # fmt: skip
    for name in names:
        same_ids(tmp_path / "out/labels" / name, logits_of(network, tree / name))
    for old, new in (("in1d", np.isin), ("bool", np.bool_), ("int", int), ("float", float)):
        if old not in np.__dict__:
            monkeypatch.setattr(np, old, new, raising=False)
    official = importlib.import_module("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    monkeypatch.setattr(official.args, "predictionPath", str(tmp_path / "out/labels"))
    monkeypatch.setattr(official.args, "predictionWalk", None)
    for stem in CITIES:
        found = official.getPrediction(official.args, f"gtFine/test/x/{stem}_gtFine_labelIds.png")
        assert found == str(tmp_path / "out/labels" / stem.split("_", maxsplit=1)[0] / f"{stem}_leftImg8bit.png")
    # Scored against themselves under the names of ground truth.
    for path in (tmp_path / "out/labels").rglob("*.png"):
        truth = tmp_path / "gtFine/val" / path.parent.name / path.name.replace("leftImg8bit", "gtFine_labelIds")
        truth.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, truth)
    assert "4 frames: mIoU 100.0" in run("score", tmp_path / "out", tmp_path / "gtFine", "--space", "cityscapes").out


def test_a_folder_with_colours_and_confidence(predict, network, tree, tmp_path):
    folder = tree / "berlin"
    predict(folder, "--color", "--confidence").done()
    for path in folder.iterdir():
        logits = logits_of(network, path)
        same_ids(tmp_path / "out/labels" / path.name, logits)
        confidence = np.array(Image.open(tmp_path / "out/confidence" / path.name)).astype(int)
        assert np.abs(confidence - logits.softmax(1).amax(1)[0].numpy() * 255).max() <= 0.51
        labels = np.array(Image.open(tmp_path / "out/labels" / path.name))
        colors = {entry.id: entry.color for entry in SPACE.classes}
        wanted = np.array([colors[value] for value in labels.ravel().tolist()]).reshape(*labels.shape, 3)
        assert (np.array(Image.open(tmp_path / "out/color" / path.name)) == wanted).all()


def test_a_video(predict, network, tmp_path):
    path = tmp_path / "drive.mkv"
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8).repeat(1, 0) for _ in range(5)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    predict(path).done()
    found = files(tmp_path / "out/labels")
    assert list(found) == [f"{number:06d}.png" for number in range(5)]
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / "frame.png")
        same_ids(tmp_path / f"out/labels/{number:06d}.png", logits_of(network, tmp_path / "frame.png"))


@torch.no_grad()
def by_hand(network, images, scales, flip, probabilities):
    height, width = images.shape[-2:]
    parts = []
    for scale in scales:
        size = (round(height * scale), round(width * scale))
        seen = images
        if scale != 1:
            seen = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=scale < 1)
        views = [network(seen), *([network(seen.flip(-1)).flip(-1)] if flip else [])]
        for view in views:
            full = view
            if scale != 1:
                full = F.interpolate(view, (height, width), mode="bilinear", align_corners=False, antialias=scale > 1)
            parts.append(full.softmax(1) if probabilities else full)
    return torch.stack(parts).mean(0)


@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_scales_flip_and_average(average, predict, network, tree, tmp_path):
    predict(tree, "--scales", "0.5,1,2", "--flip", "--average", average).done()
    for path in tree.rglob("*.png"):
        wanted = by_hand(network, images_of(path), (0.5, 1.0, 2.0), True, average == "probabilities")
        same_ids(tmp_path / "out/labels" / path.relative_to(tree), wanted)


def test_tiles(predict, network, tree, tmp_path):
    """Tiles of 32 at an overlap of a half: rows and columns 0, 8, ... by hand for one image of 40x56."""
    predict(tree, "--tile", "32", "--overlap", "0.5").done()
    path = tree / "berlin/berlin_000000_000019_leftImg8bit.png"
    images, total, visits = images_of(path), torch.zeros(1, 19, 40, 56), torch.zeros(40, 56)
    for top in (0, 8):
        for left in (0, 12, 24):
            area = np.s_[..., top : top + 32, left : left + 32]
            with torch.no_grad():
                total[area] += network(images[area])
            visits[area] += 1
    same_ids(tmp_path / "out/labels" / path.relative_to(tree), total / visits)


def test_sizes(predict, network, tree, tmp_path):
    path = tree / "bonn/bonn_000000_000019_leftImg8bit.png"  # 33 wide, 48 high
    images = images_of(path)
    predict(tree / "bonn", "--short-side", "22", out="short").done()
    with torch.no_grad():
        seen = F.interpolate(images, (32, 22), mode="bilinear", antialias=True)
        wanted = F.interpolate(network(seen), (48, 33), mode="bilinear")
        same_ids(tmp_path / "short/labels" / path.name, wanted)
        predict(tree / "bonn", "--size", "66x24", out="fixed").done()
        seen = F.interpolate(images, (24, 66), mode="bilinear", antialias=True)
        same_ids(tmp_path / "fixed/labels" / path.name, network(seen).repeat_interleave(2, 2)[..., ::2])
    write_model(tmp_path / "model", short_side=22)
    predict(tree / "bonn", out="own").done()
    assert files(tmp_path / "own/labels") == files(tmp_path / "short/labels")
    predict(tree / "bonn", "--short-side", "image", out="whole").done()
    same_ids(tmp_path / "whole/labels" / path.name, logits_of(network, path))


def test_a_model_of_another_space(run, tree, tmp_path):
    camvid = get_space("camvid11")
    other = write_model(tmp_path / "model", camvid)
    ran = run("predict", tree, "--model", tmp_path / "model", "--space", "cityscapes", "--out", tmp_path / "out").done()
    assert "does not know" in ran.err
    to_city = {"sky": 23, "building": 11, "pole": 17, "road": 7, "sidewalk": 8, "tree": 21, "sign": 20, "fence": 13,
               "car": 26, "pedestrian": 24, "bicyclist": 25}  # fmt: skip
    ids = np.array([to_city[name] for name in camvid.train_names])
    for path in tree.rglob("*.png"):
        labels = np.array(Image.open(tmp_path / "out/labels" / path.relative_to(tree)))
        assert (labels == ids[logits_of(other, path).argmax(1)[0].numpy()]).mean() > 0.99


def test_a_broken_image_stops_and_the_run_goes_on_from_there(predict, tree, tmp_path):
    predict(tree, out="fresh").done()
    path = tree / "bonn/bonn_000000_000019_leftImg8bit.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    error = predict(tree).error
    assert path.name in error
    fresh, part = files(tmp_path / "fresh/labels"), files(tmp_path / "out/labels")
    assert list(part) == [name for name in fresh if name.startswith("berlin")]
    assert all(fresh[name] == data for name, data in part.items())
    path.write_bytes(whole)
    before = {name: (tmp_path / "out/labels" / name).stat().st_mtime_ns for name in part}
    ran = predict(tree).done()
    assert "2 of 4 frames are up to date" in ran.err
    assert files(tmp_path / "out/labels") == fresh
    assert {name: (tmp_path / "out/labels" / name).stat().st_mtime_ns for name in part} == before
    assert (tmp_path / "out/run.json").read_text() == (tmp_path / "fresh/run.json").read_text()
    timing = json.loads((tmp_path / "out/timing.json").read_text())
    assert timing["frames_predicted"] == 2 and timing["seconds"]["predict"] > 0


def test_what_is_done_again(predict, tree, tmp_path):
    """A changed picture, a lost file, and files that were not asked for before."""
    predict(tree).done()
    whole = files(tmp_path / "out/labels")
    first = tree / "berlin/berlin_000000_000019_leftImg8bit.png"
    shutil.copyfile(tree / "bonn/bonn_000002_000019_leftImg8bit.png", first)
    (tmp_path / "out/labels/bonn/bonn_000000_000019_leftImg8bit.png").unlink()
    assert "2 of 4 frames are up to date" in predict(tree).done().err
    found = files(tmp_path / "out/labels")
    assert found.pop(str(first.relative_to(tree))) == whole["bonn/bonn_000002_000019_leftImg8bit.png"]
    assert found.items() <= whole.items() and len(found) == 3
    assert "up to date" not in predict(tree, "--confidence").done().err
    assert "4 of 4 frames are up to date" in predict(tree).done().err
    run = json.loads((tmp_path / "out/run.json").read_text())
    assert run["command"] == "predict" and run["frames"] == 4
    assert run["identity"]["scales"] == [1.0] and run["identity"]["model"].startswith("checkpoint ")


def test_other_settings_are_refused(predict, tree, tmp_path):
    predict(tree).done()
    before = files(tmp_path)
    for more in (["--flip"], ["--scales", "1,2"], ["--space", "kitti"]):
        error = predict(tree, *more).error
        assert "--overwrite" in error and more[0].removeprefix("--") in error
    write_model(tmp_path / "model", seed=4)
    assert "model" in predict(tree).error
    assert files(tmp_path) == before
    predict(tree, "--flip", "--overwrite").done()
    assert files(tmp_path) != before
    predict(tree, "--flip").done()


def test_folders_of_others(predict, label, clip, tree, tmp_path, run):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/precious.txt").write_text("mine")
    for more in ([], ["--overwrite"]):
        assert "other files" in predict(tree, *more).error
    label(clip, tmp_path / "labelled").done()
    assert "other files" in predict(tree, "--overwrite", out="labelled").error
    predict(tree, out="predicted").done()
    assert "other files" in label(clip, tmp_path / "predicted", "--overwrite").error
    (tmp_path / "file").write_text("x")
    assert "is a file" in predict(tree, out="file").error
    assert "cannot write" in predict(tree, out="file/below").error


def test_results_among_the_images_are_no_images(predict, tree, tmp_path):
    out = str(tree.relative_to(tmp_path) / "out")
    predict(tree, out=out).done()
    whole = files(tree / "out/labels")
    assert "4 of 4 frames are up to date" in predict(tree, out=out).done().err
    assert files(tree / "out/labels") == whole


def test_bad_input(predict, run, tree, tmp_path, save, model):
    for words, told in (
        (["--scales", "1,a"], "--scales is '1,a'"), (["--scales", "0"], "--scales"), (["--scales", "inf"], "--scales"),
        (["--scales", "1,1"], "--scales"), (["--short-side", "3"], "--short-side is '3'"), (["--size", "9"], "--size"),
        (["--size", "64x32", "--short-side", "image"], "--short-side"), (["--overlap", "1"], "overlap is 1.0"),
        (["--tile", "3"], "tile is 3"), (["--tile", "x"], "--tile"), (["--device", "warp"], "warp"),
        (["--space", "cityscape"], "cityscape"), (["--average", "votes"], "--average"), (["--colour"], "--colour"),
        (["--model", "auto"], "--model"), (["--model", tmp_path / "no"], "/no"), (["--model", tree], "weights"),
    ):  # fmt: skip
        assert told in predict(tree, *words).error, words
    error = predict(tree, "--model", "nope").error
    assert "--model nope is neither a file nor a folder; give a checkpoint or hf:ID" in error and "auto" not in error
    (tmp_path / "empty").mkdir()
    assert "no images in" in predict(tmp_path / "empty").error
    assert "nowhere" in predict(tmp_path / "nowhere").error
    image = next(tree.rglob("*.png"))
    assert "one image" in predict(image).error
    shutil.copyfile(image, image.with_suffix(".PNG"))
    assert "two files" in predict(tree).error
    image.with_suffix(".PNG").unlink()
    assert not (tmp_path / "out").exists()
    write_model(model, spoil=True)
    assert "NaN" in predict(tree).error
    assert files(tmp_path / "out/labels") == {}
    write_model(model)
    predict(tree).done()  # where nothing was finished, nothing is to be kept


def test_a_full_disk(predict, tree, tmp_path, full_disk, save):
    rng = np.random.default_rng(0)
    save(tree / "bonn/noise.png", rng.integers(0, 255, (1200, 1200, 3), dtype=np.uint8))
    with full_disk():
        error = predict(tree, "--color").error
    assert "cannot write" in error and "color/bonn/noise.png" in error
    predict(tree, "--color").done()
    assert len(files(tmp_path / "out/labels")) == 5


def test_killed_at_any_moment(predict, start, tree, model, tmp_path):
    image = tree / "bonn/bonn_000000_000019_leftImg8bit.png"
    for number in range(40):
        shutil.copyfile(image, tree / f"bonn/copy_{number}.png")
    words = ["predict", tree, "--model", model, "--space", "cityscapes", "--out", tmp_path / "out"]
    labels = tmp_path / "out/labels/bonn"
    ran = start([str(word) for word in words]).stop_when(
        lambda: labels.is_dir() and len(list(labels.glob("*.png"))) > 3, signal.SIGKILL
    )
    assert ran.status == -signal.SIGKILL
    assert "frames are up to date" in predict(tree).done().err
    predict(tree, out="fresh").done()
    assert files(tmp_path / "out") == files(tmp_path / "fresh") and len(files(tmp_path / "out")) == 44
    assert not list((tmp_path / "out").rglob("*.part"))


def test_in_a_real_process(tree, model, tmp_path):
    words = ["predict", tree, "--model", model, "--space", "cityscapes", "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-m", "seglift", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout.startswith("labels: ") and "4/4 frames" in done.stderr
    code = "import sys\nfrom seglift.cli.main import main\ntry: main(['predict', '--help'])\nexcept SystemExit: pass\n"
    code += "sys.stderr.write(' '.join({'torch', 'numpy', 'cv2', 'av', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "" and "--short-side" in done.stdout
    assert Path(tmp_path / "out/labels/bonn").is_dir()
