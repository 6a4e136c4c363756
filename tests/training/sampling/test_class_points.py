from __future__ import annotations

import numpy as np

from seglift.training.sampling.class_points import ClassPoints


def test_points_lie_on_their_class_and_rare_classes_come_as_often() -> None:
    common = np.zeros((20, 20), np.uint8)
    rare = np.full((20, 20), 255, np.uint8)
    rare[3, 5], rare[10:12, 4] = 7, 2
    labels = [common, rare]
    points = ClassPoints(labels, np.random.default_rng(0))
    assert list(points.classes) == [0, 2, 7]
    generator = np.random.default_rng(1)
    counts = dict.fromkeys((0, 2, 7), 0)
    for _ in range(600):
        sample, point = points.draw(generator, balanced=1.0)
        assert point is not None
        counts[int(labels[sample][point])] += 1
    # 200 expected each, standard deviation 11.5
    assert all(140 < count < 260 for count in counts.values())


def test_share_of_balanced_draws() -> None:
    points = ClassPoints([np.zeros((4, 4), np.uint8)], np.random.default_rng(0))
    generator = np.random.default_rng(2)
    with_point = sum(points.draw(generator, balanced=0.25)[1] is not None for _ in range(800))
    assert 150 < with_point < 250
    assert all(points.draw(generator, balanced=0.0)[1] is None for _ in range(20))
