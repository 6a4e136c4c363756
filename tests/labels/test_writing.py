from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from seglift.base.errors import UserError
from seglift.labels.writing import encode_png, write_png

MAPS = hnp.arrays(st.sampled_from([np.uint8, np.uint16]), hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))
PICTURES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7), st.just(3)))


@given(MAPS | PICTURES)
def test_another_decoder_reads_the_same_values(array):
    data = encode_png(array)
    assert data == encode_png(array.copy())
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(data))), array)


def test_views_are_encoded_as_seen():
    array = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)[::-1, ::2]
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(encode_png(array)))), array)
    array = np.arange(60, dtype=np.uint16).reshape(6, 10).T[::2]
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(encode_png(array)))), array)


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint16), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 2), np.uint8)],
)
def test_other_arrays_are_refused(array):
    with pytest.raises(ValueError, match="a PNG holds"):
        encode_png(array)


def test_file_appears_whole_and_alone(tmp_path):
    write_png(tmp_path / "new" / "a.png", np.eye(3, dtype=np.uint8))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]
    assert (tmp_path / "new" / "a.png").read_bytes() == encode_png(np.eye(3, dtype=np.uint8))


def test_unwritable_place_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_png(tmp_path / "file" / "a.png", np.eye(3, dtype=np.uint8))
