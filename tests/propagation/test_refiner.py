from __future__ import annotations

import pytest
import torch

from seglift.base.errors import UserError
from seglift.base.weights import save_weights
from seglift.inference.class_features import ClassFeatures
from seglift.inference.semantic_model import feature_channels
from seglift.labels.space import LabelClass, LabelSpace
from seglift.models.zoo import build_refiner
from seglift.propagation.refiner import Refiner, load_refiner, refiner_metadata

VOID, WALL, ROAD, LAKE = 0, 1, 2, 3
"""Space indices of the toy space; train ids 255, 2, 0, 1."""


def config(features=3, num_classes=3, **more):
    return {
        "architecture": "refiner_compact",
        "arguments": {"num_classes": num_classes, "feature_channels": features, "width": 4, "blocks": 1, **more},
    }


def write(folder, space, values=None, **changes):
    values = values or config()
    metadata = refiner_metadata(values, space, {"tau": 40.0}, "m") | changes
    folder.mkdir(exist_ok=True)
    save_weights(folder / "best.safetensors", build_refiner(values, seed=0).state_dict(), metadata)
    return folder


@pytest.fixture
def model(stub_model):
    return stub_model(lambda images: torch.full((1, 3, *images.shape[-2:]), 1 / 3))


class Saying(torch.nn.Module):
    """Stands for a network: one class everywhere, second best another one."""

    num_classes = 3

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, labels, warped, image, features):
        logits = torch.zeros(1, 4, *labels.shape[1:])
        logits[:, self.first], logits[:, self.second] = 9.0, 5.0
        return logits


def picture():
    return torch.zeros(1, 3, 12, 16, dtype=torch.uint8)


def test_a_fresh_residual_refiner_gives_every_index_back(tmp_path, space, model):
    refiner = load_refiner(write(tmp_path / "r", space), space, model)
    carried = torch.randint(0, 4, (1, 12, 16), dtype=torch.uint8)
    labels, probabilities = refiner.labels(carried, picture(), picture())
    assert torch.equal(labels, carried)
    assert labels.dtype == torch.uint8
    assert probabilities.shape == (1, 4, 12, 16)
    assert torch.allclose(probabilities.sum(1), torch.ones(1, 12, 16))
    assert refiner.about["pairs"] == {"tau": 40.0}
    assert not refiner.network.training


def test_the_file_itself_will_do_as_well_as_its_folder(tmp_path, space, model):
    file = write(tmp_path / "r", space) / "best.safetensors"
    assert load_refiner(file, space, model).network.num_classes == 3


@pytest.mark.parametrize(("first", "written"), [(0, ROAD), (1, LAKE), (2, WALL), (3, VOID)])
def test_a_changed_class_is_written_in_the_spaces_index(space, model, first, written):
    carried = torch.full((1, 12, 16), LAKE if first != 1 else WALL, dtype=torch.uint8)
    labels, _ = Refiner(Saying(first, 0), model, space, {}).labels(carried, picture(), picture())
    assert (labels == written).all()


def two_voids(ignore):
    classes = (
        LabelClass(5, "hood", (9, 0, 0), 255, "void", False),
        LabelClass(0, "road", (0, 9, 0), 0, "flat", False),
        LabelClass(1, "lake", (0, 0, 9), 1, "flat", False),
        LabelClass(2, "wall", (9, 0, 9), 2, "flat", False),
        LabelClass(9, "unknown", (0, 0, 0), 255, "void", False),
    )
    return LabelSpace("two", classes, ignore)


def test_a_void_that_stays_void_keeps_its_kind(model):
    carried = torch.randint(0, 5, (1, 12, 16), dtype=torch.uint8)
    labels, _ = Refiner(Saying(3, 0), model, two_voids(9), {}).labels(carried, picture(), picture())
    assert (labels[carried == 0] == 0).all()
    assert (labels[carried != 0] == 4).all()


def test_a_space_that_cannot_say_unknown_gets_the_likeliest_class(model):
    space = two_voids(None)
    carried = torch.randint(0, 5, (1, 12, 16), dtype=torch.uint8)
    labels, probabilities = Refiner(Saying(3, 1), model, space, {}).labels(carried, picture(), picture())
    void = (carried == 0) | (carried == 4)
    assert torch.equal(labels[void], carried[void])
    assert (labels[~void] == 2).all()
    assert (probabilities[:, 3][~void] == 0).all()


def test_features_are_counted(model):
    assert feature_channels(model) == 3


def renamed(space, names):
    return LabelSpace(
        "other", tuple(LabelClass(n, name, (n, 0, 0), n, "c", False) for n, name in enumerate(names)), None
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "segmentation"}, "holds a segmentation model, expected a refiner"),
        ({"classes": ["road"]}, "names 1 classes for 3"),
        ({"classes": None}, "names 0 classes for 3"),
        ({"network": None}, "does not fit the refiner that it describes"),
        ({"network": config(width=5)}, "does not fit the refiner that it describes"),
        ({"network": config() | {"architecture": "compact_unet"}}, "refiner_compact, refiner_paper"),
    ],
)
def test_what_is_no_refiner_or_a_damaged_one_is_refused(tmp_path, space, model, changes, said):
    with pytest.raises(UserError, match=said) as caught:
        load_refiner(write(tmp_path / "r", space, **changes), space, model)
    assert "\n" not in str(caught.value)


def test_a_refiner_of_other_classes_or_features_is_refused(tmp_path, space, model):
    folder = write(tmp_path / "r", space)
    with pytest.raises(UserError, match="refines 3 classes, other has 2"):
        load_refiner(folder, renamed(space, ["road", "lake"]), model)
    with pytest.raises(UserError, match="class 1 is 'lake', expected 'sea'"):
        load_refiner(folder, renamed(space, ["road", "sea", "wall"]), model)
    with pytest.raises(UserError, match="reads 8 features of a segmentation model, this model gives 3"):
        load_refiner(write(tmp_path / "wide", space, config(features=8)), space, model)
    with pytest.raises(UserError, match="no trained weights"):
        load_refiner(tmp_path, space, model)


def test_a_network_that_reads_classes_takes_any_model_of_them(tmp_path, space, stub_model):
    said = torch.rand(1, 3, 12, 16).softmax(1)
    model = stub_model(lambda images: said if images.shape[-1] == 16 else images)
    refiner = load_refiner(write(tmp_path / "r", space, features="classes"), space, ClassFeatures(model))
    assert load_refiner(tmp_path / "r", space, model).model.model is model
    assert not isinstance(refiner.model.model, ClassFeatures)
    assert torch.allclose(refiner.model.features(picture() / 255)[0, :, 0, 0], said[0, :, :4, :4].mean((1, 2)))
