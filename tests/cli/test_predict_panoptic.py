"""``seglift predict`` with a panoptic model: labels and instances of its segments."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from seglift.base.weights import save_weights
from seglift.inference.checkpoint import segmentation_metadata
from seglift.inference.panoptic.model import PanopticPredictor
from seglift.inference.panoptic.segments import decode_panoptic
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.inference.predict import image_to_tensor
from seglift.inference.semantic_model import load_model
from seglift.inference.settings import InferenceSettings
from seglift.labels.instances import decode_cityscapes
from seglift.labels.space_file import get_space, space_to_data
from seglift.models.zoo import build

SPACE = get_space("cityscapes")
ROAD, CAR = 0, 13


def picture(number, size):
    coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize(size[::-1]))


@torch.no_grad()
def make_network(config):
    """Random weights, brought to a range in which pictures show roads, cars and some centres."""
    network = build(config, seed=3).eval()
    probe = image_to_tensor(picture(0, (64, 96)))
    features = network.features(probe)[0].flatten(1)
    channel = int(features.std(1).argmax())
    spread, middle = features[channel].std(), features[channel].median()
    weight, bias = network.classifier.weight.zero_(), network.classifier.bias.fill_(-5)
    weight[CAR, channel], bias[CAR], bias[ROAD] = 1 / spread, -middle / spread, 0
    heat = network.panoptic(probe).centre
    last, scale = network.centre[-1], 0.3 / heat.std()
    last.weight *= scale
    last.bias.copy_((last.bias - heat.mean()) * scale)
    network.offset[-1].bias.fill_(1.5)
    return network


def write_model(folder, spoil=None):
    config = {
        "architecture": "compact_panoptic",
        "arguments": {"num_classes": 19, "widths": [8, 8, 12, 12, 16], "head": 8},
    }
    network = make_network(config)
    if spoil is not None:
        network.offset[-1].bias.data.fill_(spoil)
    metadata = segmentation_metadata(config, "cityscapes", SPACE.train_names, None)
    save_weights(folder / "best.safetensors", network.state_dict(), metadata)
    return folder


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model")


@pytest.fixture
def frames(tmp_path, save):
    for number, size in enumerate(((64, 96), (48, 80))):
        save(tmp_path / f"frames/{number}.png", picture(number, size))
    return tmp_path / "frames"


@pytest.fixture
def predict(run, model, frames, tmp_path):
    def predict(*more, out="out"):
        words = ("--model", model, "--space", "cityscapes", "--out", tmp_path / out)
        return run("predict", frames, *words, *more)

    return predict


def read(path):
    return np.array(Image.open(path))


def by_hand(model, path, settings, **views):
    predictor = PanopticPredictor(load_model(model, SPACE), InferenceSettings(**views))
    output = predictor.panoptic(image_to_tensor(read(path)))
    return output, decode_panoptic(output, SPACE, settings)[0]


def test_labels_and_instances_are_those_of_the_segments(predict, model, frames, tmp_path):
    predict("--stuff-area", "0", "--confidence", "--color").done()
    for path in sorted(frames.iterdir()):
        output, wanted = by_hand(model, path, PanopticSettings(stuff_area=0))
        assert wanted.number.max() > 2 and len(np.unique(wanted.raw)) > 1
        instances = read(tmp_path / "out/instances" / path.name)
        raw, number = decode_cityscapes(instances, SPACE, path.name)
        np.testing.assert_array_equal(raw, wanted.raw)
        np.testing.assert_array_equal(number, wanted.number)
        np.testing.assert_array_equal(read(tmp_path / "out/labels" / path.name), wanted.raw)
        train_ids = torch.from_numpy(SPACE.to_train(SPACE.encode(wanted.raw, path.name))).long()
        sure = output.semantic.softmax(1)[0].gather(0, train_ids[None])[0].numpy() * 255
        assert np.abs(read(tmp_path / "out/confidence" / path.name) - sure).max() <= 0.51
        assert (tmp_path / "out/color" / path.name).is_file()


def test_scales_and_flip(predict, model, frames, tmp_path):
    predict("--scales", "0.5,1", "--flip", "--stuff-area", "0").done()
    for path in sorted(frames.iterdir()):
        _, wanted = by_hand(model, path, PanopticSettings(stuff_area=0), scales=(0.5, 1.0), flip=True)
        np.testing.assert_array_equal(read(tmp_path / "out/labels" / path.name), wanted.raw)


def test_stuff_below_the_limit_is_void_without_confidence(predict, tmp_path):
    predict("--stuff-area", "2097152", "--confidence").done()
    for path in sorted((tmp_path / "out/labels").iterdir()):
        labels = read(path)
        assert set(np.unique(labels).tolist()) <= {0, *[entry.id for entry in SPACE.classes if entry.thing]}
        assert (labels == 0).any()
        assert not read(tmp_path / "out/confidence" / path.name)[labels == 0].any()


def test_it_scores_perfectly_against_itself(predict, run, tmp_path):
    predict("--stuff-area", "0").done()
    for path in sorted((tmp_path / "out/labels").iterdir()):
        truth = tmp_path / "truth" / path.name
        truth.parent.mkdir(exist_ok=True)
        truth.write_bytes(path.read_bytes())
        instances = tmp_path / "out/instances" / path.name
        truth.with_name(f"{path.stem}_instanceIds.png").write_bytes(instances.read_bytes())
    ran = run("score", tmp_path / "out", tmp_path / "truth", "--space", "cityscapes").done()
    assert "panoptic quality" in ran.out.lower() and "100.0" in ran.out


def test_a_frame_without_its_instances_is_done_again(predict, tmp_path):
    predict().done()
    path = tmp_path / "out/instances/0.png"
    before = path.read_bytes()
    path.unlink()
    assert "1 of 2 frames are up to date" in predict().done().err
    assert path.read_bytes() == before


def test_what_is_refused(predict, model, tmp_path):
    assert "stuff_area is -1.0" in predict("--stuff-area", "-1").error
    assert not (tmp_path / "out").exists()
    space = yaml.safe_dump(space_to_data(SPACE)).replace("id: 26\n", "id: 126\n")
    (tmp_path / "high.yaml").write_text(space.replace("name: cityscapes", "name: high"))
    assert (
        "label space high has a thing of id 126, expected at most 64"
        in predict("--space", tmp_path / "high.yaml").error
    )
    assert not (tmp_path / "out").exists()
    predict().done()
    assert "stuff_area 4096 -> 0.0" in predict("--stuff-area", "0").error
    for number in (torch.nan, torch.inf):
        write_model(model, spoil=number)
        assert "NaN or infinite values" in predict(out="broken").error
