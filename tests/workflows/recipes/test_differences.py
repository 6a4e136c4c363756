from __future__ import annotations

import pytest

from seglift.workflows.recipes.differences import differences

LIST = [str(number) for number in range(90)]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"a": 1, "b": "x"}, {"a": 1, "b": "x"}, ""),
        ({"a": None}, {}, ""),
        ({"fit": {"steps": 8, "seed": 0}}, {"fit": {"steps": 7, "seed": 0}}, "fit.steps 8 -> 7"),
        (
            {"coarse": [{"count": None}, {"count": 3}]},
            {"coarse": [{"count": 5}, {"count": 3}]},
            "coarse.0.count null -> 5",
        ),
        ({"flip": True, "by": "image"}, {"flip": False, "by": "clip"}, "flip true -> false, by image -> clip"),
        ({"mix": {"share": 0.5, "replace": False}}, {"mix": None}, "mix (2 values) -> null"),
        ({}, {"classes": {"box": "disc"}}, "classes.box null -> disc"),
        ({"classes": {"box": "disc"}}, {}, "classes.box disc -> null"),
        ({"fine": []}, {"fine": [{"dataset": "folder"}]}, "fine [] -> (1 value)"),
        ({"crop": [32, 48]}, {"crop": [32, 64]}, "crop [32, 48] -> [32, 64]"),
        ({"images": LIST}, {"images": ["7"]}, 'images (90 values) -> ["7"]'),
        (
            {"images": LIST},
            {"images": LIST[::-1]},
            "images has other values",
        ),
        ({"model": "a" * 50 + "b"}, {"model": "none"}, f"model {'a' * 18}...{'a' * 17}b -> none"),
        ({}, dict.fromkeys("abcdef", 1), "a null -> 1, b null -> 1, c null -> 1, d null -> 1 and 2 more"),
    ],
)
def test_what_differs_by_dotted_name(before, after, said):
    assert differences(before, after) == said


def test_where_the_rest_can_be_seen():
    assert differences({}, dict.fromkeys("abcdef", 1), "run.json").endswith(" and 2 more, see run.json")
