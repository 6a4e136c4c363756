"""Pieces of the street generator: geometry, camera, tracing, textures, instance ids."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.datasets.streets import StreetConfig, people, render_street, two_wheelers, vehicles
from seglift.datasets.streets.atlas import SIZE, TEXTURE_INDEX, TEXTURES, build_atlas
from seglift.datasets.streets.camera import Camera
from seglift.datasets.streets.classes import CAR, ROAD, instance_id
from seglift.datasets.streets.mesh import Mesh, Surface, merge, placement
from seglift.datasets.streets.motion import compose, frozen, swing
from seglift.datasets.streets.noise import tiling_noise
from seglift.datasets.streets.primitives import ball, block, tube, wall
from seglift.datasets.streets.styles import DAYLIGHT
from seglift.datasets.streets.tracing import Moment, Tracer

PAINT = Surface("plain", (1.0, 1.0, 1.0), CAR)


def volume(mesh: Mesh) -> float:
    """Signed volume of a closed mesh by the divergence theorem: positive if all faces look outwards."""
    a, b, c = mesh.corners[:, 0], mesh.corners[:, 1], mesh.corners[:, 2]
    return float(np.einsum("nc,nc->n", a, np.cross(b, c)).sum() / 6)


def test_primitives_are_closed_and_look_outwards() -> None:
    assert volume(block((3, 2, 1), (1, 2, 3), PAINT)) == pytest.approx(6)
    assert volume(ball((1, 0, 0), (1, 2, 0.5), PAINT, 3)) == pytest.approx(4 / 3 * np.pi, rel=0.02)
    assert volume(tube([[0, 0, 0], [1, 0, 2]], 0.5, PAINT, 32)) == pytest.approx(np.pi / 4 * 5**0.5, rel=0.02)


def test_vehicles_and_people_have_plausible_volumes() -> None:
    rng = np.random.default_rng(0)
    for name, profile in vehicles.PROFILES.items():
        body = frozen(vehicles.car(rng, DAYLIGHT.cars, kind=name))
        assert 0.4 < volume(body) / np.prod(profile.size) < 0.9, name
        assert body.corners[..., 2].min() == pytest.approx(0, abs=0.02)
    person = frozen(people.walker(rng, DAYLIGHT.clothes, 1.3))
    assert 0.05 < volume(person) < 0.25
    assert 1.6 < person.corners[..., 2].max() < 1.95
    assert {33, 25} == set(np.unique(frozen(two_wheelers.cyclist(rng, DAYLIGHT.cars, DAYLIGHT.clothes, 4.0)).label))


def test_walkers_feet_stay_near_the_ground() -> None:
    parts = people.walker(np.random.default_rng(1), DAYLIGHT.clothes, 1.4)
    lowest = [frozen(parts, time).corners[..., 2].min() for time in np.linspace(0, 2, 20)]
    assert min(lowest) > -0.12 and max(lowest) < 0.15


def test_walls_face_the_right_of_their_direction_and_uv_is_metric() -> None:
    mesh = wall((0, 0), (4, 0), 1, 3, PAINT)
    assert np.allclose(mesh.normals, [0, -1, 0])
    assert mesh.uv.reshape(-1, 2).max(axis=0) == pytest.approx([4, 2])


def test_smoothed_ball_has_radial_normals() -> None:
    mesh = ball((0, 0, 0), (1, 1, 1), PAINT, 3).smoothed(1.5)
    assert np.abs(mesh.normals - mesh.corners).max() < 0.02


def test_poses_compose() -> None:
    outer, inner = placement(1, 2, 3, 0.7), swing(0.4, 0.1, 0.2, 0.3)
    points = np.random.default_rng(0).normal(size=(5, 3))
    moved = points @ inner[:, :3].T + inner[:, 3]
    both = compose(outer, inner)
    assert np.allclose(points @ both[:, :3].T + both[:, 3], moved @ outer[:, :3].T + outer[:, 3])


def test_instance_ids_follow_cityscapes() -> None:
    assert instance_id(CAR, 3) == 26003
    assert instance_id(ROAD, 3) == ROAD
    numbered = merge([block((0, 0, 0), (1, 1, 1), Surface("plain", (1, 1, 1), label)) for label in (CAR, ROAD)])
    assert set(np.unique(numbered.numbered({CAR: 7, ROAD: 1}).instance)) == {26007, ROAD}
    with pytest.raises(ValueError, match="outside"):
        instance_id(CAR, 1000)


def test_camera_projects_what_its_rays_hit() -> None:
    camera = Camera((1.0, 2.0, 1.5), 0.3, -0.05, 100, 200, 180.0, 0.45)
    y, x = (grid.ravel().astype(float) for grid in np.mgrid[0:100:7, 0:200:9])
    rays = camera.rays(x, y)
    pixels, depth = camera.project(rays * 7.5)
    assert np.allclose(pixels, np.stack([x, y], axis=1), atol=1e-3)
    assert np.allclose(depth, 7.5, atol=1e-4)
    assert camera.inside(pixels, depth).all()
    assert not camera.inside(pixels, -depth).any()
    left = camera.rays(np.array([0.0]), np.array([44.55]))[0]
    assert left @ [np.cos(0.3), np.sin(0.3), 0] < 0, "small x lies to the left"


def test_without_embree_rendering_is_the_users_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embreex.rtcore_scene", None)
    with pytest.raises(UserError, match="needs the package embreex"):
        next(render_street(StreetConfig(2, 48, 96)))


def test_tracing_finds_the_nearer_of_static_and_moving() -> None:
    pytest.importorskip("embreex")
    static, mover = Tracer(block((0, 10, 0), (2, 2, 2), PAINT).corners), block((0, 5, 0), (1, 1, 1), PAINT).corners
    ray = np.array([[0, 1, 0], [0, -1, 0]], np.float32)
    hits = Moment(static, Tracer(mover)).first(np.zeros(3), ray)
    assert hits.distance[0] == pytest.approx(4.5) and hits.face[0] >= static.count
    assert hits.face[1] == -1 and np.isinf(hits.distance[1])
    empty = Moment(static, Tracer(mover[:0]))
    assert empty.first(np.zeros(3), ray).distance[0] == pytest.approx(9)
    limit = np.array([8.9, 8.9], np.float32)
    assert not empty.blocked(np.zeros((2, 3), np.float32), ray, limit).any()
    assert list(empty.blocked(np.zeros((2, 3), np.float32), ray, limit + 0.2)) == [True, False]
    assert empty.reach(np.zeros((2, 3), np.float32), ray, limit + 1) == pytest.approx([9, 9.9])


def test_noise_tiles_and_keeps_its_band() -> None:
    field = tiling_noise(np.random.default_rng(0), 128, slope=0.5, low=3, high=20)
    assert field.mean() == pytest.approx(0, abs=1e-9) and field.std() == pytest.approx(1)
    spectrum = np.abs(np.fft.fft2(field))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(128, 1 / 128), np.fft.fftfreq(128, 1 / 128)))
    assert spectrum[(radius < 3) | (radius > 20)].max() < 1e-6 * spectrum.max()
    seam = np.abs(field[:, 0] - field[:, -1]).mean() / np.abs(np.diff(field, axis=1)).mean()
    assert 0.5 < seam < 2


def test_texture_lookup_is_exact_nearby_and_the_mean_far_away() -> None:
    atlas = build_atlas("daylight", 1.0)
    index = TEXTURE_INDEX["brick"]
    width, height = TEXTURES["brick"].metres
    column, row = np.array([3, 100, SIZE - 1]), np.array([0, 37, SIZE - 1])
    uv = np.stack([(column + 0.5) / SIZE * width, height - (row + 0.5) / SIZE * height], axis=1).astype(np.float32)
    texture = np.full(3, index, np.int16)
    pitch = len(atlas.image) // len(TEXTURES)
    texels = atlas.image[index * pitch + 1 + row, 1 + column] / 255
    assert np.abs(atlas.sample(texture, uv, np.full(3, 1e-4, np.float32)) - texels).max() < 0.02
    tile = atlas.image[index * pitch + 1 : index * pitch + 1 + SIZE, 1 : 1 + SIZE].reshape(-1, 4).mean(axis=0) / 255
    assert np.abs(atlas.sample(texture, uv, np.full(3, 1e3, np.float32)) - tile).max() < 0.08
    assert atlas.sample(texture[:0], uv[:0], np.empty(0, np.float32)).shape == (0, 4)
    turned = atlas.sample(texture, uv + np.float32([5 * width, -3 * height]), np.full(3, 1e-4, np.float32))
    assert np.abs(turned - texels).max() < 0.03
