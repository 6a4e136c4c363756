from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.reading import read_gray, read_image, read_label
from seglift.labels.writing import encode_png, write_png

CITYSCAPES, CAMVID, BINARY = (BUILTIN_SPACES[name] for name in ("cityscapes", "camvid11", "binary"))
RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (12, 17, 3), np.uint8)
IDS = RNG.integers(0, 12, (12, 17)).astype(np.uint8)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def save_palette(path, indices, colors, **options):
    image = Image.fromarray(indices).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette(np.asarray(colors, np.uint8).tobytes())
    image.save(path, **options)
    return path


def raw_png(rows, width, height, depth, color_type):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def error_of(call, *arguments):
    with pytest.raises(UserError) as error:
        call(*arguments)
    return str(error.value)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm", ".webp"])
def test_rgb_pictures_of_any_lossless_format(tmp_path, suffix):
    options = {"lossless": True} if suffix == ".webp" else {}
    path = save(tmp_path / f"a{suffix}", PICTURE, **options)
    np.testing.assert_array_equal(read_image(path), PICTURE)


def test_jpeg_is_close_and_rgb_ordered(tmp_path):
    flat = np.full((16, 16, 3), (200, 30, 90), np.uint8)
    assert np.abs(read_image(save(tmp_path / "a.jpg", flat)).astype(int) - flat).max() < 6


def test_grey_palette_and_opaque_alpha_become_rgb(tmp_path):
    grey = read_image(save(tmp_path / "g.png", PICTURE[..., 0]))
    np.testing.assert_array_equal(grey, np.repeat(PICTURE[..., :1], 3, axis=2))
    colors = RNG.integers(0, 256, (12, 3), np.uint8)
    np.testing.assert_array_equal(read_image(save_palette(tmp_path / "p.png", IDS, colors)), colors[IDS])
    opaque = np.dstack([PICTURE, np.full(PICTURE.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(read_image(save(tmp_path / "o.png", opaque)), PICTURE)


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a.png", "a.jpg"):
        assert read_image(save(tmp_path / name, PICTURE, exif=exif)).shape == (17, 12, 3)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(PICTURE, -1))


def test_transparent_and_deep_pictures_are_refused(tmp_path):
    alpha = np.dstack([PICTURE, np.full(PICTURE.shape[:2], 254, np.uint8)])
    path = save(tmp_path / "alpha.png", alpha)
    text = error_of(read_image, path)
    assert str(path) in text and "transparent" in text and "8-bit RGB" in text
    write_png(tmp_path / "deep.png", IDS.astype(np.uint16))
    assert "8 bits" in error_of(read_image, tmp_path / "deep.png")
    rows = b"".join(b"\0" + bytes(6 * 4) for _ in range(3))
    (tmp_path / "rgb48.png").write_bytes(raw_png(rows, 4, 3, 16, 2))
    assert "8 bits" in error_of(read_image, tmp_path / "rgb48.png")
    assert "8-bit" in error_of(read_label, tmp_path / "rgb48.png", CAMVID)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.97])
def test_truncated_files_are_refused_by_name(tmp_path, suffix, share):
    big = np.kron(PICTURE, np.ones((9, 9, 1), np.uint8))
    path = save(tmp_path / f"a{suffix}", big)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert str(path) in error_of(read_image, path)
    assert str(path) in error_of(read_label, path, CAMVID)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_a_png_with_a_flipped_bit_is_never_read(tmp_path, data):
    good = encode_png(IDS)
    position = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[position] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / "a.png").write_bytes(bytes(bad))
    assert "a.png" in error_of(read_label, tmp_path / "a.png", CAMVID)


@pytest.mark.parametrize(("depth", "color", "size"), [(8, 0, 1), (16, 0, 2), (8, 2, 3)])
def test_damage_behind_valid_checksums_is_noticed(tmp_path, depth, color, size):
    good = raw_png(b"".join(b"\0" + bytes(range(12)) * size for _ in range(12)), 12, 12, depth, color)
    start = good.index(b"IDAT") - 4
    length = struct.unpack(">I", good[start : start + 4])[0]
    body = good[start + 8 : start + 8 + length - 6]
    chunk = struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body))
    (tmp_path / "a.png").write_bytes(good[:start] + chunk + good[start + 12 + length :])
    assert "a.png" in error_of(read_label, tmp_path / "a.png", CAMVID)


def test_missing_empty_and_foreign_files(tmp_path):
    assert "none.png" in error_of(read_image, tmp_path / "none.png")
    assert str(tmp_path) in error_of(read_image, tmp_path)
    (tmp_path / "e.png").write_bytes(b"")
    assert "0 bytes" in error_of(read_label, tmp_path / "e.png", CAMVID)
    (tmp_path / "t.png").write_text("hello")
    assert "no image" in error_of(read_gray, tmp_path / "t.png")


def test_jpeg_with_bytes_behind_its_end_is_read(tmp_path):
    path = save(tmp_path / "a.jpg", PICTURE)
    clean = read_image(path)
    path.write_bytes(path.read_bytes() + b"\0" * 20 + b"\xff\xda trailer")
    np.testing.assert_array_equal(read_image(path), clean)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_id_png(tmp_path, dtype):
    write_png(tmp_path / "a.png", IDS.astype(dtype))
    np.testing.assert_array_equal(CAMVID.decode(read_label(tmp_path / "a.png", CAMVID)), IDS)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_of_few_bits_holds_ids_unstretched(tmp_path, depth):
    values = np.arange(32, dtype=np.uint8).reshape(4, 8) % min(2**depth, 12)
    bits = np.unpackbits(values[..., None], axis=2)[..., -depth:].reshape(4, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in np.packbits(bits, axis=1))
    (tmp_path / "a.png").write_bytes(raw_png(rows, 8, 4, depth, 0))
    np.testing.assert_array_equal(CAMVID.decode(read_label(tmp_path / "a.png", CAMVID)), values)


def test_unknown_ids_name_file_and_counts(tmp_path):
    write_png(tmp_path / "a.png", np.array([[0, 77], [77, 1]], np.uint8))
    text = error_of(read_label, tmp_path / "a.png", CAMVID)
    assert "77 (2 px)" in text and "a.png" in text


@pytest.mark.parametrize("space", BUILTIN_SPACES.values(), ids=lambda space: space.name)
def test_color_labels_give_the_class_of_the_color(tmp_path, space):
    index = RNG.integers(0, space.num_indices, (20, 30)).astype(np.uint8)
    write_png(tmp_path / "a.png", space.colorize(index))
    found = read_label(tmp_path / "a.png", space)
    np.testing.assert_array_equal(space.colorize(found), space.colorize(index))
    shared = [space.color_to_index[entry.color] == i for i, entry in enumerate(space.classes)]
    np.testing.assert_array_equal(found == index, np.array(shared)[index])


def test_unknown_colors_are_listed_with_counts(tmp_path):
    rgb = CAMVID.colorize(np.zeros((3, 4), np.uint8))
    rgb[0, :3] = (1, 2, 3)
    rgb[2, 0] = (255, 0, 9)
    write_png(tmp_path / "a.png", rgb)
    text = error_of(read_label, tmp_path / "a.png", CAMVID)
    assert "(1, 2, 3) (3 px)" in text and "(255, 0, 9) (1 px)" in text and "128" not in text


def test_grey_stored_as_rgb_holds_ids(tmp_path):
    write_png(tmp_path / "a.png", np.repeat(IDS[..., None], 3, axis=2))
    np.testing.assert_array_equal(CAMVID.decode(read_label(tmp_path / "a.png", CAMVID)), IDS)
    write_png(tmp_path / "b.png", np.full((2, 2, 3), 77, np.uint8))
    assert "77 (4 px)" in error_of(read_label, tmp_path / "b.png", CAMVID)


def test_palette_indices_are_ids(tmp_path):
    own = [entry.color for entry in CAMVID.classes]
    for name, colors in (("own", own), ("foreign", RNG.integers(200, 250, (12, 3)))):
        path = save_palette(tmp_path / f"{name}.png", IDS, colors)
        np.testing.assert_array_equal(CAMVID.decode(read_label(path, CAMVID)), IDS)


def test_gta5_palette(tmp_path):
    space = BUILTIN_SPACES["gta5"]
    ids = RNG.integers(0, 35, (9, 9)).astype(np.uint8)
    path = save_palette(tmp_path / "a.png", ids, [entry.color for entry in space.classes])
    np.testing.assert_array_equal(space.decode(read_label(path, space)), ids)


def test_palette_colors_count_where_indices_are_no_ids(tmp_path):
    colors = np.zeros((22, 3), np.uint8)
    colors[20], colors[21] = CAMVID.classes[3].color, CAMVID.classes[9].color
    path = save_palette(tmp_path / "a.png", np.array([[20, 21, 21]], np.uint8), colors)
    assert CAMVID.decode(read_label(path, CAMVID)).tolist() == [[3, 9, 9]]


def test_palette_that_can_be_read_two_ways_is_refused(tmp_path):
    own = [entry.color for entry in CAMVID.classes][::-1]
    text = error_of(read_label, save_palette(tmp_path / "a.png", IDS, own), CAMVID)
    assert "indices" in text and "colours" in text


def test_palette_of_neither_ids_nor_colors_is_explained(tmp_path):
    path = save_palette(tmp_path / "a.png", np.array([[90, 91, 90, 2]], np.uint8), RNG.integers(200, 250, (92, 3)))
    text = error_of(read_label, path, CAMVID)
    assert "90 (2 px), 91 (1 px)" in text and "2 (1" not in text.replace("90 (2 px), 91 (1 px)", "")


def test_davis_masks_keep_their_foreground_value(tmp_path):
    mask = np.where(IDS > 5, 255, 0).astype(np.uint8)
    write_png(tmp_path / "a.png", mask)
    np.testing.assert_array_equal(BINARY.decode(read_label(tmp_path / "a.png", BINARY)), mask)
    path = save_palette(tmp_path / "p.png", (mask > 0).astype(np.uint8), [(0, 0, 0), (128, 0, 0)])
    np.testing.assert_array_equal(BINARY.decode(read_label(path, BINARY)), mask > 0)


def test_instance_ids_are_recognised(tmp_path):
    write_png(tmp_path / "a.png", np.array([[7, 26001], [24000, 23]], np.uint16))
    text = error_of(read_label, tmp_path / "a.png", CITYSCAPES)
    assert "instanceIds" in text and "labelIds" in text
    write_png(tmp_path / "b.png", np.array([[7, 300]], np.uint16))
    assert "up to 300" in error_of(read_label, tmp_path / "b.png", CITYSCAPES)


def test_lossy_and_transparent_labels_are_refused(tmp_path):
    assert "JPEG" in error_of(read_label, save(tmp_path / "a.jpg", IDS), CAMVID)
    alpha = np.dstack([CAMVID.colorize(IDS), np.where(IDS > 3, 255, 0).astype(np.uint8)])
    assert "transparent" in error_of(read_label, save(tmp_path / "a.png", alpha), CAMVID)
    path = save_palette(tmp_path / "p.png", IDS, RNG.integers(200, 250, (12, 3)), transparency=3)
    assert "transparent" in error_of(read_label, path, CAMVID)


def test_opaque_alpha_does_no_harm_to_labels(tmp_path):
    full = np.full(IDS.shape, 255, np.uint8)
    path = save(tmp_path / "c.png", np.dstack([CAMVID.colorize(IDS), full]))
    np.testing.assert_array_equal(read_label(path, CAMVID), IDS)
    path = save_palette(tmp_path / "p.png", IDS, RNG.integers(200, 250, (40, 3)), transparency=39)
    np.testing.assert_array_equal(read_label(path, CAMVID), IDS)


def test_read_gray(tmp_path):
    write_png(tmp_path / "a.png", PICTURE[..., 1].copy())
    np.testing.assert_array_equal(read_gray(tmp_path / "a.png"), PICTURE[..., 1])
    write_png(tmp_path / "b.png", PICTURE)
    assert "one channel" in error_of(read_gray, tmp_path / "b.png")
    write_png(tmp_path / "c.png", IDS.astype(np.uint16))
    assert "one channel" in error_of(read_gray, tmp_path / "c.png")
