from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.workflows.score.panoptic import read_objects

CAR = 26


@pytest.mark.parametrize("objects", [1000, 1001])
def test_more_objects_of_a_class_than_can_be_told_apart(tmp_path: Path, objects: int) -> None:
    ids = np.minimum(np.arange(26 * 40), objects - 1).reshape(26, 40) + 1
    rgb = np.stack([ids & 255, ids >> 8, np.zeros_like(ids)], axis=2).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    segments = [{"id": number + 1, "category_id": CAR} for number in range(objects)]
    (tmp_path / "a.json").write_text(json.dumps({"segments_info": segments}))
    if objects == 1000:
        raw, numbers = read_objects(tmp_path / "a.png", BUILTIN_SPACES["cityscapes"])
        assert (raw == CAR).all() and numbers.max() == 1000
        return
    with pytest.raises(UserError, match=r"a\.png has 1001 instances of a class, at most 1000"):
        read_objects(tmp_path / "a.png", BUILTIN_SPACES["cityscapes"])
