from __future__ import annotations

import pytest
import torch

from seglift.base.errors import UserError
from seglift.inference.class_mapping import MISSING_LOGIT, map_classes, normalise_name, spellings
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import LabelClass, LabelSpace
from seglift.labels.space_file import get_space


def space_of(*names: str) -> LabelSpace:
    classes = tuple(LabelClass(n, name, (n, n, n), n, "any", False) for n, name in enumerate(names))
    return LabelSpace("own", classes, None)


def test_spellings() -> None:
    assert (
        normalise_name("SignSymbol") == normalise_name("sign_symbol") == normalise_name("Sign-Symbol") == "sign symbol"
    )
    assert normalise_name("SUVPickupTruck") == normalise_name("SUV pickup truck") == "suv pickup truck"
    assert normalise_name("LaneMkgsDriv") == "lane mkgs driv" and normalise_name("CAR") == "car"
    assert spellings("road, route") == ("road route", "road", "route")


def test_mapped_by_name_and_synonym_and_the_rest_listed() -> None:
    mapping = map_classes(
        ["Road", "tree", "motorbike", "unicorn"], space_of("vegetation", "road", "motorcycle", "sky"), "m"
    )
    assert mapping.channels == ((1,), (0,), (2,), ())
    assert mapping.unmapped_model == ("unicorn",)
    assert mapping.unmapped_space == ("sky",)
    assert mapping.describe() == "the model does not know: sky; unused classes of the model: unicorn"


def test_equal_names_win_over_synonyms() -> None:
    mapping = map_classes(["grass", "terrain"], space_of("terrain", "grass"), "m")
    assert mapping.channels == ((1,), (0,))


def test_joined_channels_add_their_probabilities() -> None:
    mapping = map_classes(["tree", "plant", "road"], space_of("road", "vegetation"), "m")
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    p = logits.softmax(1)
    expected = torch.stack([p[:, 2], p[:, 0] + p[:, 1]], dim=1)
    assert torch.allclose(mapping.apply(logits).softmax(1), expected, atol=1e-6)


def test_a_class_the_model_does_not_know_never_wins() -> None:
    mapping = map_classes(["sky"], space_of("road", "sky"), "m")
    result = mapping.apply(torch.full((1, 1, 2, 2), -900.0))
    assert result[:, 0].eq(MISSING_LOGIT).all()
    assert result.argmax(1).eq(1).all()


def test_the_same_classes_pass_through_untouched() -> None:
    space = get_space("cityscapes")
    mapping = map_classes(space.train_names, space, "m")
    logits = torch.randn(1, 19, 2, 2)
    assert mapping.is_identity
    assert mapping.apply(logits) is logits
    assert mapping.describe() is None


def test_cityscapes_names_cover_camvid() -> None:
    mapping = map_classes(get_space("cityscapes").train_names, get_space("camvid11"), "m")
    assert mapping.unmapped_space == ()


def test_vans_of_camvid_are_cars() -> None:
    names, cars = get_space("camvid32").train_names, get_space("cityscapes").train_names.index("car")
    mapping = map_classes(names, get_space("cityscapes"), "m")
    assert [names[channel] for channel in mapping.channels[cars]] == ["Car", "SUVPickupTruck"]


@pytest.mark.parametrize("name", sorted(BUILTIN_SPACES))
def test_every_space_maps_onto_itself(name: str) -> None:
    space = get_space(name)
    assert map_classes(space.train_names, space, "m").is_identity


def test_nothing_in_common_is_the_users_error() -> None:
    with pytest.raises(UserError, match=r"LABEL_0.*own.*road"):
        map_classes(["LABEL_0", "LABEL_1"], space_of("road", "sky"), "hf:x")


def test_chosen_classes_stand_above_names_and_synonyms() -> None:
    space = space_of("car", "sign", "tree", "bicyclist")
    names = ["Car", "truck", "traffic_light", "terrain", "tree", "rider"]
    chosen = {"Truck": "CAR", "traffic light": "sign symbol", "tree": None, "terrain": "tree"}
    mapping = map_classes(names, space, "m", chosen)
    assert mapping.channels == ((0, 1), (2,), (3,), (5,))
    assert mapping.unmapped_model == ("tree",) and mapping.unmapped_space == ()
    assert map_classes(["car", "sign"], space, "m", {"sign": "car"}).channels == ((0, 1), (), (), ())


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"lorry": "car"}, r"classes names 'lorry', which m does not have \(truck, car\); correct it"),
        ({"truck": "ship"}, r"'ship' of 'truck' of m, expected null or a class of own \(car, sky\)"),
        ({"truck": "car", "Truck": None}, "classes names 'Truck' of m twice"),
        ({"truck": None, "car": None}, "none of them in own"),
    ],
)
def test_chosen_classes_that_there_are_not(chosen: dict[str, str | None], said: str) -> None:
    with pytest.raises(UserError, match=said):
        map_classes(["truck", "car"], space_of("car", "sky"), "m", chosen)
