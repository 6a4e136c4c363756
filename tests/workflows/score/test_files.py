from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.workflows.score.files import list_labels


def test_a_whole_dataset_is_told_from_a_folder_of_its_labels(tmp_path):
    for place in ("images/val/000.png", "labels/train/000.png", "labels/val/000.png", "instances/val/000.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / place)
    (tmp_path / "space.yaml").write_text("name: town")
    with pytest.raises(UserError, match=r"a whole dataset.*give .*labels/train, .*labels/val"):
        list_labels(tmp_path, "give labels")
    assert list_labels(tmp_path / "labels/val", "give labels").stems == ["000"]
