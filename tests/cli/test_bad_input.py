"""Bad input to ``seglift label``: exit status 2 and one line that names what came and what to do."""

from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image


def pixels(path):
    return np.array(Image.open(path))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


# Frames


def test_no_such_frames(clip, label, out, tmp_path):
    error = label(type(clip)(tmp_path / "nothing", clip.truth, clip.keyframes, clip.stems), out).error
    assert "nothing" in error and not out.exists()


def test_empty_folder_of_frames(clip, label, out, tmp_path):
    (tmp_path / "empty").mkdir()
    error = label(type(clip)(tmp_path / "empty", clip.truth, clip.keyframes, clip.stems), out).error
    assert "no images in" in error and "empty" in error and ".png" in error and not out.exists()


def test_a_text_file_is_no_video(clip, label, out, tmp_path):
    (tmp_path / "notes.mp4").write_text("hello, I am no video" * 50)
    error = label(type(clip)(tmp_path / "notes.mp4", clip.truth, clip.keyframes, clip.stems), out).error
    assert "notes.mp4" in error and not out.exists()


def test_zero_byte_video(clip, label, out, tmp_path):
    (tmp_path / "none.mp4").touch()
    error = label(type(clip)(tmp_path / "none.mp4", clip.truth, clip.keyframes, clip.stems), out).error
    assert "none.mp4" in error


def write_video(path, draw, codec, count=9):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=25, width=96, height=64, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p"
        )
        for index in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(draw(index)[0], format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("name", "codec", "share"),
    [("a.mp4", "mpeg4", 0.5), ("a.mp4", "mpeg4", 0.9), ("a.mkv", "ffv1", 0.5), ("a.avi", "mjpeg", 0.5)],
)
def test_truncated_video(clip, label, draw, out, tmp_path, name, codec, share):
    video = tmp_path / name
    write_video(video, draw, codec)
    for path in list(clip.keyframes.iterdir()):
        path.rename(clip.keyframes / f"{int(path.stem[1:]):06d}.png")
    data = video.read_bytes()
    of_video = type(clip)(video, clip.truth, clip.keyframes, clip.stems)
    video.write_bytes(data[: int(len(data) * share)])
    error = label(of_video, out).error
    assert name in error
    video.write_bytes(data)
    label(of_video, out).done()


def damage_middle(path):
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 40] = bytes(40)
    path.write_bytes(bytes(data))


def damage_head(path):
    data = path.read_bytes()
    path.write_bytes(data[:2] + bytes(60) + data[62:])


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-200])


def empty(path):
    path.write_bytes(b"")


def not_an_image(path):
    path.write_text("<html>404</html>")


def wrong_pixels(path):
    """Chunks whose checksums are right around compressed data that are not."""
    data = path.read_bytes()
    start = data.index(b"IDAT") - 4
    length = struct.unpack_from(">I", data, start)[0]
    body = b"IDAT" + data[start + 8 : start + 8 + length // 2] + bytes(length - length // 2)
    path.write_bytes(data[: start + 4] + body + struct.pack(">I", zlib.crc32(body)) + data[start + 12 + length :])


def sixteen_bits(path):
    Image.fromarray(np.full((64, 96), 4000, np.uint16)).save(path)


def transparent(path):
    image = Image.open(path).convert("RGBA")
    image.putalpha(100)
    image.save(path)


def other_size(path):
    Image.open(path).resize((80, 64)).save(path)


DAMAGES = [damage_middle, cut_short, empty, not_an_image, wrong_pixels, sixteen_bits, transparent, other_size]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_frame_in_the_middle(clip, label, tree, out, tmp_path, damage):
    """Finished frames stay, the file is named, and once it is mended the run ends as if nothing had been."""
    path = clip.frames / "f006.png"
    good = path.read_bytes()
    label(clip, tmp_path / "undisturbed").done()
    damage(path)
    error = label(clip, out).error
    assert "f006.png" in error
    finished = {p: p.stat().st_mtime_ns for p in (out / "labels").iterdir()}
    assert {p.stem for p in finished} == {"f000", "f001", "f002", "f003", "f004", "f008"}
    assert not (out / "report.html").exists()
    path.write_bytes(good)
    label(clip, out).done()
    assert tree(out) == tree(tmp_path / "undisturbed")
    assert {p: p.stat().st_mtime_ns for p in finished} == finished
    assert not list((out / ".seglift").glob("gap-*"))


@pytest.mark.parametrize("damage", [damage_head, cut_short, empty])
def test_a_bad_jpeg_in_the_middle(clip, label, tree, out, tmp_path, damage):
    for path in list(clip.frames.iterdir()):
        Image.open(path).save(path.with_suffix(".jpg"), quality=95)
        path.unlink()
    path = clip.frames / "f006.jpg"
    good = path.read_bytes()
    label(clip, tmp_path / "undisturbed").done()
    damage(path)
    assert "f006.jpg" in label(clip, out).error
    path.write_bytes(good)
    label(clip, out).done()
    assert tree(out) == tree(tmp_path / "undisturbed")


@pytest.mark.parametrize("damage", DAMAGES[:7])
def test_a_bad_first_frame(clip, label, out, damage):
    damage(clip.frames / "f000.png")
    assert "f000.png" in label(clip, out).error
    assert not out.exists()


def test_a_bad_frame_of_a_run_with_a_model(clip, label, small_model, tree, out, tmp_path):
    more = ("--method", "inpaint", "--model-steps", 2)
    label(clip, tmp_path / "undisturbed", *more).done()
    good = (clip.frames / "f006.png").read_bytes()
    damage_middle(clip.frames / "f006.png")
    ran = label(clip, out, *more)
    errors = [line for line in ran.err.splitlines() if line.startswith("seglift: error: ")]
    assert ran.status == 2 and len(errors) == 1 and "f006.png" in errors[0] and "Traceback" not in ran.err
    (clip.frames / "f006.png").write_bytes(good)
    label(clip, out, *more).done()
    assert tree(out) == tree(tmp_path / "undisturbed")


def test_frames_that_share_a_stem(clip, label, out):
    Image.open(clip.frames / "f003.png").save(clip.frames / "f003.jpg")
    error = label(clip, out).error
    assert "f003.png" in error and "f003.jpg" in error


def test_several_cityscapes_snippets(clip, label, out):
    for index, stem in enumerate(clip.stems):
        name = f"ulm_{index // 5:06d}_{index:06d}"
        (clip.frames / f"{stem}.png").rename(clip.frames / f"{name}_leftImg8bit.png")
    error = label(clip, out).error
    assert "ulm_000000_000000" in error and "ulm_000001_000005" in error


# Labels


def test_no_such_labels(clip, label, out, tmp_path):
    assert "missing" in label(clip, out, "--labels", tmp_path / "missing").error


def test_no_label_in_the_folder(clip, label, out):
    for path in clip.keyframes.iterdir():
        path.unlink()
    assert "f000 ... f008" in label(clip, out).error


def test_a_label_of_another_size(clip, label, save, out):
    save(clip.keyframes / "f004.png", np.full((32, 48), 7, np.uint8))
    error = label(clip, out).error
    assert "f004.png is 48x32" in error and "96x64" in error and not out.exists()


def test_ids_outside_the_space(clip, label, save, out):
    label_map = pixels(clip.truth / "f004.png")
    label_map[0, :5], label_map[1, :2] = 99, 77
    save(clip.keyframes / "f004.png", label_map)
    error = label(clip, out).error
    assert "f004.png" in error and "99 (5 px)" in error and "77 (2 px)" in error and "cityscapes" in error


def test_unknown_colours(clip, label, save, out):
    save(clip.keyframes / "f004.png", np.full((64, 96, 3), (1, 2, 3), np.uint8))
    error = label(clip, out).error
    assert "f004.png" in error and "cityscapes" in error


def test_a_palette_that_means_nothing(clip, label, out):
    image = Image.fromarray(np.full((64, 96), 200, np.uint8)).convert("P")
    image.putpalette([5] * 768)
    image.save(clip.keyframes / "f004.png")
    error = label(clip, out).error
    assert "f004.png" in error and "palette" in error


def test_ids_of_16_bits(clip, label, save, out):
    save(clip.keyframes / "f004.png", np.full((64, 96), 26001, np.uint16))
    assert "instanceIds" in label(clip, out).error
    save(clip.keyframes / "f004.png", np.full((64, 96), 40000, np.uint16))
    error = label(clip, out).error
    assert "f004.png" in error and "40000" in error


def test_a_label_with_alpha(clip, label, out):
    transparent(clip.keyframes / "f004.png")
    assert "f004.png" in label(clip, out).error


@pytest.mark.parametrize("damage", [damage_middle, cut_short, empty, not_an_image])
def test_a_damaged_label(clip, label, out, damage):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.choice(np.array([7, 23, 26], np.uint8), (64, 96))).save(clip.keyframes / "f004.png")
    damage(clip.keyframes / "f004.png")
    assert "f004.png" in label(clip, out).error and not out.exists()


def test_two_labels_of_one_frame(clip, label, out):
    (clip.keyframes / "f004_labelIds.png").write_bytes((clip.keyframes / "f004.png").read_bytes())
    error = label(clip, out).error
    assert "f004.png" in error and "f004_labelIds.png" in error


def test_a_label_of_no_frame(clip, label, out):
    (clip.keyframes / "frame4.png").write_bytes((clip.keyframes / "f004.png").read_bytes())
    error = label(clip, out).error
    assert "frame4.png" in error and "f000 ... f008" in error


def test_ground_truth_is_checked_before_any_work(clip, label, out, tmp_path):
    (clip.truth / "stranger.png").write_bytes((clip.truth / "f000.png").read_bytes())
    assert "stranger.png" in label(clip, out, "--ground-truth", clip.truth).error and not out.exists()
    assert "nowhere" in label(clip, out, "--ground-truth", tmp_path / "nowhere").error


def test_bad_ground_truth_leaves_the_labels(clip, label, save, tree, out, tmp_path):
    save(clip.truth / "f002.png", np.full((64, 96), 99, np.uint8))
    error = label(clip, out, "--ground-truth", clip.truth)
    assert error.status == 2 and "f002.png" in error.err and "Traceback" not in error.err
    assert len(list((out / "labels").iterdir())) == 9
    label(clip, out).done()
    label(clip, tmp_path / "undisturbed").done()
    assert tree(out) == tree(tmp_path / "undisturbed")


# Options


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--frames", "3", "A:B"), ("--frames", "a:b", "A:B"), ("--frames", "5:5", "5:5"), ("--frames", "0:10", "9"),
        ("--frames", "9:", "9"), ("--frames", "6:3", "6:3"), ("--frames", "1:2:3", "A:B"), ("--frames", "", "A:B"),
        ("--frames", "1:3", "widen --frames"), ("--frames", "-3:", "-3"),
        ("--space", "cityscape", "cityscapes"), ("--space", "nofile.yaml", "nofile.yaml"),
        ("--method", "flow", "inpaint"), ("--device", "gpu", "cpu"),
        ("--device", "cuda:99", "cpu"), ("--motion", "flow", "dis"), ("--motion", "dis:best", "fast"),
        ("--motion", "raft:nofile.pth", "nofile.pth"), ("--direction", "up", "backward"), ("--resample", "2", "once"),
        ("--out-of-view", "x", "void"), ("--settings", "mine", "paper"), ("--tau", "-3", "auto"),
        ("--tau", "x", "auto"),
        ("--max-distance", "0", "1 or more"), ("--model-steps", "0", "1 or more"),
        ("--model-minutes", "0", "more than 0"),
        ("--seed", "-1", "2**63"), ("--refiner", "some.safetensors", "no use to --method motion"),
        ("--model", "x.safetensors", "motion"),
        ("--max-distance", "two", "two"),
    ],
)  # fmt: skip
def test_options(clip, label, out, option, value, told):
    error = label(clip, out, f"{option}={value}").error
    assert told in error and not out.exists()


@pytest.mark.parametrize("text", ["", "name: [", "name: x", "[]", "name: x\nclasses: 3", "\x00"])
def test_a_broken_space_file(clip, label, out, tmp_path, text):
    (tmp_path / "space.yaml").write_text(text)
    assert "space.yaml" in label(clip, out, "--space", tmp_path / "space.yaml").error


# Models


class Spy:
    """Unpickling it leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pt"])
def test_a_pickle_is_never_executed(clip, label, out, tmp_path, suffix):
    mark, checkpoint = tmp_path / "executed", tmp_path / f"model{suffix}"
    checkpoint.write_bytes(pickle.dumps(Spy(mark)))
    error = label(clip, out, "--method", "inpaint", "--model", checkpoint).error
    assert checkpoint.name in error and not mark.exists()
    error = label(clip, out, "--motion", f"raft:{checkpoint}").error
    assert checkpoint.name in error and not mark.exists()
    pickle.loads(checkpoint.read_bytes())
    assert mark.exists()  # the trap works


def test_a_torch_pickle_is_never_executed(clip, label, out, tmp_path):
    import torch

    mark, checkpoint = tmp_path / "executed", tmp_path / "model.pth"
    torch.save({"state_dict": Spy(mark)}, checkpoint)
    assert "model.pth" in label(clip, out, "--method", "inpaint", "--model", checkpoint).error
    assert "model.pth" in label(clip, out, "--motion", f"raft:{checkpoint}").error
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"text", bytes(100), b"\x08\0\0\0\0\0\0\0{}      "])
def test_no_checkpoint(clip, label, out, tmp_path, content):
    checkpoint = tmp_path / "model.safetensors"
    checkpoint.write_bytes(content)
    assert "model.safetensors" in label(clip, out, "--method", "semantic", "--model", checkpoint).error


def test_no_such_model(clip, label, out, tmp_path):
    assert "none.pt" in label(clip, out, "--method", "inpaint", "--model", tmp_path / "none.pt").error
    (tmp_path / "folder").mkdir()
    assert "folder" in label(clip, out, "--method", "inpaint", "--model", tmp_path / "folder").error
    error = label(clip, out, "--method", "inpaint", "--model", f"hf:{tmp_path / 'folder'}").error
    assert "folder" in error


def test_a_checkpoint_of_other_classes(clip, label, small_model, tmp_path):
    label(clip, tmp_path / "first", "--method", "semantic", "--model-steps", 1).done()
    weights = tmp_path / "first/.seglift/model/best.safetensors"
    (tmp_path / "space.yaml").write_text(
        "name: cityscapes\nignore: 9\nclasses:\n"
        "  - {id: 7, name: road, color: [1, 2, 3], train_id: 0}\n"
        "  - {id: 23, name: sky, color: [9, 2, 3], train_id: 1}\n"
        "  - {id: 24, name: person, color: [9, 2, 4], train_id: 2}\n"
        "  - {id: 26, name: car, color: [9, 2, 5], train_id: 3}\n"
        "  - {id: 9, name: unknown, color: [0, 0, 0], train_id: 255}\n"
    )
    more = ("--method", "semantic", "--model", weights, "--space", tmp_path / "space.yaml")
    error = label(clip, tmp_path / "out", *more).error
    assert "best.safetensors" in error and "19" in error and "4" in error


# The output folder


def test_out_is_an_input(clip, label):
    before = sorted(clip.truth.parent.rglob("*"))
    assert "--out" in label(clip, clip.frames).error
    assert "--out" in label(clip, clip.keyframes).error
    assert "--out" in label(clip, clip.truth, "--ground-truth", clip.truth, "--overwrite").error
    assert sorted(clip.truth.parent.rglob("*")) == before


def test_labels_inside_out_are_never_overwritten(clip, label, tree, out):
    label(clip, out).done()
    files = tree(out, ())
    assert "--out" in label(clip, out, "--labels", out / "labels", "--overwrite").error
    assert tree(out, ()) == files


def test_out_is_a_file(clip, label, out):
    out.write_text("mine")
    assert "is a file" in label(clip, out).error and out.read_text() == "mine"


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_out_holds_other_files(clip, label, out, overwrite):
    (out / "labels").mkdir(parents=True)
    (out / "labels/mine.png").write_text("mine")
    assert "other files" in label(clip, out, *overwrite).error
    assert [p.name for p in out.rglob("*")] == ["labels", "mine.png"]


@pytest.mark.parametrize("place", ["file/below", "/proc/seglift/out", "n" * 300])
def test_out_cannot_be_written(clip, label, tmp_path, place):
    (tmp_path / "file").touch()
    error = label(clip, tmp_path / place).error
    assert str(tmp_path / place)[:40] in error and "choose another" in error


def test_full_disk(clip, label, tree, full_disk, out, tmp_path):
    label(clip, tmp_path / "undisturbed").done()
    with full_disk():
        error = label(clip, out).error
    assert "cannot write" in error and str(out) in error
    label(clip, out).done()
    assert tree(out) == tree(tmp_path / "undisturbed")


def test_full_disk_while_training(clip, label, small_model, tree, full_disk, out, tmp_path):
    more = ("--method", "inpaint", "--model-steps", 2)
    label(clip, tmp_path / "undisturbed", *more).done()
    with full_disk():
        ran = label(clip, out, *more)
    assert ran.status == 2 and "cannot write" in ran.err and "Traceback" not in ran.err
    label(clip, out, *more).done()
    assert tree(out) == tree(tmp_path / "undisturbed")
