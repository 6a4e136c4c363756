"""The options of ``seglift label``, each by what it does to the labels."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest
from PIL import Image


def pixels(path):
    return np.array(Image.open(path))


def table(out):
    return [json.loads(line) for line in (out / "frames.jsonl").read_text().splitlines()]


def share(out, name):
    return [row["provenance"][name] for row in table(out)]


def test_cut(clip, label, tmp_path):
    out = tmp_path / "out"
    label(clip, out, "--frames", "3:7").done()
    rows = table(out)
    assert [row["index"] for row in rows] == [3, 4, 5, 6]
    assert [row["keyframes"] for row in rows] == [[None, 4], [4, 4], [4, None], [4, None]]
    assert [row["distance"] for row in rows] == [1, 0, 1, 2]
    assert sorted(p.stem for p in (out / "labels").iterdir()) == ["f003", "f004", "f005", "f006"]
    page = (out / "report.html").read_text()
    assert "Frame 6</strong>" in page and "Frame 0</strong>" not in page


@pytest.mark.parametrize(("cut", "kept"), [(":5", range(5)), ("4:", range(4, 9))])
def test_open_cut(clip, label, tmp_path, cut, kept):
    label(clip, tmp_path / "out", "--frames", cut).done()
    assert [row["index"] for row in table(tmp_path / "out")] == list(kept)


def test_max_distance_leaves_the_middle_unknown(clip, label, tmp_path):
    out = tmp_path / "out"
    (clip.keyframes / "f004.png").unlink()
    label(clip, out, "--max-distance", 2).done()
    assert share(out, "none") == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert (pixels(out / "labels/f004.png") == 0).all() and (pixels(out / "confidence/f004.png") == 0).all()
    assert (pixels(out / "provenance/f004.png") == 5).all()


def test_directions(clip, label, tmp_path):
    clip.keyframes.joinpath("f000.png").unlink()
    clip.keyframes.joinpath("f008.png").unlink()
    for direction, known in (("forward", range(4, 9)), ("backward", range(5))):
        out = tmp_path / direction
        label(clip, out, "--direction", direction).done()
        assert [i for i, none in enumerate(share(out, "none")) if none < 1] == list(known)
    label(clip, tmp_path / "both").done()
    assert (np.array(share(tmp_path / "both", "earlier"))[5:] > 0.5).all()
    assert (np.array(share(tmp_path / "both", "later"))[:4] > 0.5).all()


@pytest.fixture
def panning(tmp_path, build_clip, save):
    """Everything moves 4 pixels to the right with each frame, so that new things come in on the left."""
    clip = build_clip(tmp_path, 3, keyframes=())
    wide = np.random.default_rng(1).integers(0, 256, (16, 32, 3), dtype=np.uint8)
    wide = np.array(Image.fromarray(wide).resize((128, 64), Image.Resampling.BICUBIC))
    for index, stem in enumerate(clip.stems):
        save(clip.frames / f"{stem}.png", wide[:, 16 - 4 * index : 112 - 4 * index])
    save(clip.keyframes / "f000.png", np.full((64, 96), 7, np.uint8))
    return clip


def test_out_of_view(panning, label, tmp_path):
    label(panning, tmp_path / "replicate").done()
    assert (pixels(tmp_path / "replicate/labels/f002.png") == 7).all()
    label(panning, tmp_path / "void", "--out-of-view", "void").done()
    void = pixels(tmp_path / "void/labels/f002.png")
    assert (void[8:-8, :4] == 0).all() and (void[8:-8, 16:-4] == 7).all()
    low = pixels(tmp_path / "replicate/confidence/f002.png")
    assert low[8:-8, :4].max() < low[8:-8, 20:-8].min()


def test_resampling_and_paper_differ_and_are_recorded(clip, label, tmp_path):
    label(clip, tmp_path / "once").done()
    label(clip, tmp_path / "again", "--resample", "recursive").done()
    label(clip, tmp_path / "paper", "--settings", "paper").done()
    options = {n: json.loads((tmp_path / n / "run.json").read_text())["options"] for n in ("once", "again", "paper")}
    assert [options[n]["resample"] for n in options] == ["once", "recursive", "recursive"]
    assert options["paper"]["settings"] == "paper" and options["paper"]["tau"] == "40.0"
    # The paper takes each pixel from the nearest keyframe.
    nearest = pixels(tmp_path / "paper/provenance/f001.png"), pixels(tmp_path / "paper/provenance/f003.png")
    assert (nearest[0] == 1).all() and (nearest[1] == 2).all()
    for name in options:
        labels = pixels(tmp_path / name / "labels/f002.png")
        assert (labels == pixels(clip.truth / "f002.png")).mean() > 0.95


@pytest.mark.parametrize("settings", ["product", "paper"])
@pytest.mark.parametrize("method", ["semantic", "inpaint"])
def test_methods_with_a_model(clip, label, small_model, tmp_path, method, settings):
    out = tmp_path / "out"
    label(clip, out, "--method", method, "--settings", settings, "--model-steps", 3).done()
    model = np.array(share(out, "model"))
    human = np.array(share(out, "human"))
    assert human.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    run = json.loads((out / "run.json").read_text())
    assert run["model"]["trained_on"] == ["f000", "f004", "f008"] and len(run["model"]["sha256"]) == 64
    assert run["options"]["model_steps"] == 3
    if method == "semantic" and settings == "product":
        assert (model[human == 0] == 1).all()
    if method == "inpaint":
        assert ((pixels(out / "labels/f002.png") == pixels(clip.truth / "f002.png")).mean()) > 0.9


def test_a_model_beyond_max_distance(clip, label, small_model, tmp_path):
    (clip.keyframes / "f004.png").unlink()
    out = tmp_path / "out"
    label(clip, out, "--method", "inpaint", "--model-steps", 2, "--max-distance", 1).done()
    assert [round(value, 3) for value in share(out, "model")][2:7] == [1.0] * 5


def test_a_given_model_can_be_tuned_to_the_keyframes(clip, label, small_model, tmp_path):
    """A model that saw nothing of the car learns it from the keyframes."""
    label(clip, tmp_path / "a", "--method", "semantic", "--model-steps", 1).done()
    weights = tmp_path / "a/.seglift/model/best.safetensors"
    given = weights.read_bytes()
    options = ("--method", "semantic", "--model", weights, "--tune", "--model-steps", 60)
    label(clip, tmp_path / "b", *options).done()
    tuned = tmp_path / "b/.seglift/model/best.safetensors"
    assert weights.read_bytes() == given != tuned.read_bytes()
    assert json.loads((tmp_path / "b/run.json").read_text())["model"]["tuned"] is True
    label(clip, tmp_path / "c", "--method", "semantic", "--model", weights).done()
    car, right = 26, {}
    for name in ("b", "c"):
        truth, made = (np.array(Image.open(folder / "f002.png")) for folder in (clip.truth, tmp_path / name / "labels"))
        right[name] = ((made == car) & (truth == car)).sum() / (truth == car).sum()
    assert right["b"] > max(0.5, right["c"])
    before = tuned.stat().st_mtime_ns
    label(clip, tmp_path / "b", *options).done()
    assert tuned.stat().st_mtime_ns == before


@pytest.mark.parametrize("model", [("--model", "auto"), (), ("--model", "hf:some/thing")])
def test_tuning_needs_a_checkpoint(clip, label, tmp_path, model):
    assert "--tune needs a checkpoint" in label(clip, tmp_path / "a", "--method", "inpaint", "--tune", *model).error


def test_a_trained_model_can_be_given(clip, label, small_model, tmp_path):
    label(clip, tmp_path / "a", "--method", "semantic", "--model-steps", 2).done()
    weights = tmp_path / "a/.seglift/model/best.safetensors"
    label(clip, tmp_path / "b", "--method", "semantic", "--model", weights).done()
    label(clip, tmp_path / "c", "--method", "semantic", "--model", weights.parent).done()
    for stem in clip.stems:
        name = f"labels/{stem}.png"
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "c" / name).read_bytes()


def test_video_file(clip, label, draw, save, tmp_path):
    video = tmp_path / "drive.mkv"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("ffv1", rate=25, width=96, height=64, pix_fmt="bgr0")
        for index in range(9):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(draw(index)[0], format="rgb24")))
        container.mux(stream.encode())
    for path in list(clip.keyframes.iterdir()):
        path.rename(clip.keyframes / f"{int(path.stem[1:]):06d}.png")
    out, same = tmp_path / "out", tmp_path / "same"
    words = ["--labels", clip.keyframes]
    clip_of_video = type(clip)(video, clip.truth, clip.keyframes, clip.stems)
    label(clip_of_video, out, *words).done()
    assert [row["stem"] for row in table(out)] == [f"{index:06d}" for index in range(9)]
    for path in list(clip.keyframes.iterdir()):
        path.rename(clip.keyframes / f"f{int(path.stem):03d}.png")
    label(clip, same).done()
    for index in range(9):  # the codec is lossless, so a folder of the same pictures gives the same labels
        assert (out / f"labels/{index:06d}.png").read_bytes() == (same / f"labels/f{index:03d}.png").read_bytes()


def test_dry_run_writes_nothing(clip, label, tmp_path):
    ran = label(clip, tmp_path / "out", "--dry-run").done()
    assert not (tmp_path / "out").exists()
    assert "9 frames of 96x64, 3 keyframes, 6 frames to label" in ran.out


def test_dry_run_refuses_what_a_run_refuses(clip, label, tmp_path):
    out = tmp_path / "out"
    label(clip, out).done()
    assert "--overwrite" in label(clip, out, "--settings", "paper", "--dry-run").error
    label(clip, out, "--settings", "paper", "--dry-run", "--overwrite").done()
    assert len(table(out)) == 9
    (tmp_path / "none.safetensors").write_text("nothing")
    more = ("--method", "semantic", "--model", tmp_path / "none.safetensors", "--dry-run")
    assert "none.safetensors" in label(clip, tmp_path / "new", *more).error
    assert "diss" in label(clip, tmp_path / "new", "--motion", "diss", "--dry-run").error
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").touch()
    assert "other files" in label(clip, tmp_path / "full", "--dry-run").error


def test_natural_order_and_odd_names(clip, label, tmp_path):
    for index, stem in enumerate(clip.stems):
        (clip.frames / f"{stem}.png").rename(clip.frames / f"Bild ä {index + 3}.png")
    for path in list(clip.keyframes.iterdir()):
        path.rename(clip.keyframes / f"Bild ä {int(path.stem[1:]) + 3}.png")
    label(clip, tmp_path / "out").done()
    assert [row["stem"] for row in table(tmp_path / "out")] == [f"Bild ä {index}" for index in range(3, 12)]
    assert (tmp_path / "out/labels/Bild ä 7.png").read_bytes() == (clip.truth / "f004.png").read_bytes()


def test_frames_of_several_kinds(clip, label, tmp_path):
    """Grey, palette, CMYK, opaque alpha, capitals: any picture is a frame."""
    for stem, mode, name in (
        ("f001", "L", "f001.PNG"), ("f002", "CMYK", "f002.JPG"), ("f003", "RGBA", "f003.png"),
        ("f005", "P", "f005.png"), ("f006", "RGB", "f006.bmp"), ("f007", "RGB", "f007.webp"),
    ):  # fmt: skip
        image = Image.open(clip.frames / f"{stem}.png").convert(mode)
        (clip.frames / f"{stem}.png").unlink()
        image.save(clip.frames / name)
    label(clip, tmp_path / "out").done()
    assert [row["stem"] for row in table(tmp_path / "out")] == list(clip.stems)


def test_instances_beside_the_labels(clip, label, save, tmp_path):
    for path in list(clip.keyframes.iterdir()):
        ids = pixels(path).astype(np.uint16)
        save(clip.keyframes / f"{path.stem}_instanceIds.png", np.where(ids == 26, np.uint16(26001), ids))
    label(clip, tmp_path / "out").done()
    assert len(list((tmp_path / "out/labels").iterdir())) == len(list((tmp_path / "out/instances").iterdir())) == 9


def test_one_frame_that_is_labelled(build_clip, label, tmp_path):
    clip = build_clip(tmp_path, 1, keyframes=(0,))
    label(clip, tmp_path / "out").done()
    assert (tmp_path / "out/labels/f000.png").read_bytes() == (clip.truth / "f000.png").read_bytes()


def test_every_frame_labelled(build_clip, label, tmp_path):
    clip = build_clip(tmp_path, 3, keyframes=range(3))
    label(clip, tmp_path / "out").done()
    assert share(tmp_path / "out", "human") == [1, 1, 1]
