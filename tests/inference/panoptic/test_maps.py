from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seglift.inference.panoptic.maps import from_maps, mirror_maps, multi_scale_maps, resize_maps, to_maps
from seglift.models.panoptic_output import PanopticOutput

HEIGHT, WIDTH = 33, 49
CENTRE = (12.0, 40.0)


def ramps(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """An image whose first two channels say where a pixel lies, 0..1 from the first row and column to the last."""
    rows = torch.linspace(0, 1, height)[:, None].expand(height, width)
    columns = torch.linspace(0, 1, width).expand(height, width)
    return torch.stack([rows, columns, torch.zeros(height, width)])[None]


def exact_maps(images: Tensor) -> Tensor:
    """Of a network that knows where :data:`CENTRE` lies in any view of :func:`ramps`: two classes, heat, offsets."""
    height, width = images.shape[-2:]
    rows, columns = images[:, 0], images[:, 1]
    mirrored = columns[0, 0, 0] > columns[0, 0, -1]
    right = (CENTRE[1] / (WIDTH - 1) - columns) * (width - 1) * (-1 if mirrored else 1)
    down = (CENTRE[0] / (HEIGHT - 1) - rows) * (height - 1)
    return torch.stack([columns, 1 - columns, rows, down, right], 1)


def test_maps_and_back() -> None:
    generator = torch.Generator().manual_seed(0)
    output = PanopticOutput(*(torch.randn(2, channels, 4, 6, generator=generator) for channels in (5, 1, 2)))
    maps = to_maps(output)
    assert maps.shape == (2, 8, 4, 6)
    back = from_maps(maps)
    assert torch.allclose(back.semantic.softmax(1), output.semantic.softmax(1), atol=1e-6)
    assert torch.equal(back.centre, output.centre)
    assert torch.equal(back.offset, output.offset)


def test_a_class_without_any_chance_stays_finite() -> None:
    semantic = torch.tensor([0.0, -torch.inf]).view(1, 2, 1, 1)
    back = from_maps(to_maps(PanopticOutput(semantic, torch.zeros(1, 1, 1, 1), torch.zeros(1, 2, 1, 1))))
    assert back.semantic.isfinite().all()
    assert back.semantic.argmax(1).item() == 0


@pytest.mark.parametrize("scales", [(1.0,), (2.0,), (0.5,), (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_network_that_is_exact_at_every_scale_is_exact_on_average(scales: tuple[float, ...], flip: bool) -> None:
    """Offsets of a mirrored image point the other way, those of a scaled one are longer or shorter."""
    averaged = multi_scale_maps(exact_maps, ramps(), scales, flip)
    assert torch.allclose(averaged, exact_maps(ramps()), atol=2e-4)


def test_the_average_by_hand() -> None:
    """Two passes, of which the mirrored one gives other numbers; the logits are of the mean probability."""

    def look(images: Tensor) -> Tensor:
        mirrored = bool(images[0, 0, 0, 0] == 1)
        values = [0.1, 0.9, 0.6, 4.0, 2.0] if mirrored else [0.5, 0.5, 0.2, 2.0, 8.0]
        return torch.tensor(values).view(1, 5, 1, 1).expand(1, 5, *images.shape[-2:])

    image = torch.tensor([0.0, 1.0]).expand(1, 3, 2, 2)
    averaged = from_maps(multi_scale_maps(look, image, flip=True))
    assert averaged.semantic.exp()[0, :, 0, 0].tolist() == pytest.approx([0.3, 0.7])
    assert averaged.centre[0, :, 0, 0].tolist() == pytest.approx([0.4])
    assert averaged.offset[0, :, 0, 0].tolist() == pytest.approx([3.0, 3.0])


def test_resized_offsets_are_in_the_new_pixels() -> None:
    small = exact_maps(ramps(17, 13))
    assert torch.allclose(resize_maps(small, HEIGHT, WIDTH), exact_maps(ramps()), atol=1e-5)
    assert resize_maps(small, 17, 13) is small


def test_mirrored_twice_is_the_same() -> None:
    maps = exact_maps(ramps())
    assert torch.equal(mirror_maps(mirror_maps(maps)), maps)
    assert torch.allclose(mirror_maps(exact_maps(ramps().flip(-1))), maps)


def test_no_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one scale"):
        multi_scale_maps(exact_maps, ramps(), ())
