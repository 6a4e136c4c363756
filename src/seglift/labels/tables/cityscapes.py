"""Cityscapes (Cordts et al., CVPR 2016): the 34 ids of its label images, 19 of them evaluated.

The licence plate (id -1) exists in the polygon files only and is no pixel value.
"""

from __future__ import annotations

from seglift.labels.space import IGNORE_TRAIN_ID, LabelClass

CITYSCAPES = (
    LabelClass(0, "unlabeled", (0, 0, 0), 255, "void", False),
    LabelClass(1, "ego vehicle", (0, 0, 0), 255, "void", False),
    LabelClass(2, "rectification border", (0, 0, 0), 255, "void", False),
    LabelClass(3, "out of roi", (0, 0, 0), 255, "void", False),
    LabelClass(4, "static", (0, 0, 0), 255, "void", False),
    LabelClass(5, "dynamic", (111, 74, 0), 255, "void", False),
    LabelClass(6, "ground", (81, 0, 81), 255, "void", False),
    LabelClass(7, "road", (128, 64, 128), 0, "flat", False),
    LabelClass(8, "sidewalk", (244, 35, 232), 1, "flat", False),
    LabelClass(9, "parking", (250, 170, 160), 255, "flat", False),
    LabelClass(10, "rail track", (230, 150, 140), 255, "flat", False),
    LabelClass(11, "building", (70, 70, 70), 2, "construction", False),
    LabelClass(12, "wall", (102, 102, 156), 3, "construction", False),
    LabelClass(13, "fence", (190, 153, 153), 4, "construction", False),
    LabelClass(14, "guard rail", (180, 165, 180), 255, "construction", False),
    LabelClass(15, "bridge", (150, 100, 100), 255, "construction", False),
    LabelClass(16, "tunnel", (150, 120, 90), 255, "construction", False),
    LabelClass(17, "pole", (153, 153, 153), 5, "object", False),
    LabelClass(18, "polegroup", (153, 153, 153), 255, "object", False),
    LabelClass(19, "traffic light", (250, 170, 30), 6, "object", False),
    LabelClass(20, "traffic sign", (220, 220, 0), 7, "object", False),
    LabelClass(21, "vegetation", (107, 142, 35), 8, "nature", False),
    LabelClass(22, "terrain", (152, 251, 152), 9, "nature", False),
    LabelClass(23, "sky", (70, 130, 180), 10, "sky", False),
    LabelClass(24, "person", (220, 20, 60), 11, "human", True),
    LabelClass(25, "rider", (255, 0, 0), 12, "human", True),
    LabelClass(26, "car", (0, 0, 142), 13, "vehicle", True),
    LabelClass(27, "truck", (0, 0, 70), 14, "vehicle", True),
    LabelClass(28, "bus", (0, 60, 100), 15, "vehicle", True),
    LabelClass(29, "caravan", (0, 0, 90), 255, "vehicle", True),
    LabelClass(30, "trailer", (0, 0, 110), 255, "vehicle", True),
    LabelClass(31, "train", (0, 80, 100), 16, "vehicle", True),
    LabelClass(32, "motorcycle", (0, 0, 230), 17, "vehicle", True),
    LabelClass(33, "bicycle", (119, 11, 32), 18, "vehicle", True),
)

# GTA-5 stores Cityscapes ids and gives the licence plate a pixel value of its own.
GTA5 = (*CITYSCAPES, LabelClass(34, "license plate", (0, 0, 142), 255, "vehicle", False))

# BDD100K stores Cityscapes train ids; 255 is its only void.
BDD100K = (
    *(
        LabelClass(entry.train_id, entry.name, entry.color, entry.train_id, entry.category, entry.thing)
        for entry in sorted(CITYSCAPES, key=lambda entry: entry.train_id)
        if entry.train_id != IGNORE_TRAIN_ID
    ),
    LabelClass(255, "unlabeled", (0, 0, 0), IGNORE_TRAIN_ID, "void", False),
)
