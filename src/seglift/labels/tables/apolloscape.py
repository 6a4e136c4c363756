"""ApolloScape scene parsing (Huang et al., 2018): 22 evaluated classes; a group shares the train id of its members."""

from __future__ import annotations

from seglift.labels.space import LabelClass

APOLLOSCAPE = (
    LabelClass(0, "others", (0, 0, 0), 255, "others", False),
    LabelClass(1, "rover", (0, 0, 0), 255, "others", False),
    LabelClass(17, "sky", (70, 130, 180), 0, "sky", False),
    LabelClass(33, "car", (0, 0, 142), 1, "movable object", True),
    LabelClass(34, "motorbicycle", (0, 0, 230), 2, "movable object", True),
    LabelClass(35, "bicycle", (119, 11, 32), 3, "movable object", True),
    LabelClass(36, "person", (0, 128, 192), 4, "movable object", True),
    LabelClass(37, "rider", (128, 64, 128), 5, "movable object", True),
    LabelClass(38, "truck", (128, 0, 192), 6, "movable object", True),
    LabelClass(39, "bus", (192, 0, 64), 7, "movable object", True),
    LabelClass(40, "tricycle", (128, 128, 192), 8, "movable object", True),
    LabelClass(49, "road", (192, 128, 192), 9, "flat", False),
    LabelClass(50, "sidewalk", (192, 128, 64), 10, "flat", False),
    LabelClass(65, "traffic cone", (0, 0, 64), 11, "road obstacle", False),
    LabelClass(66, "road pile", (0, 0, 192), 12, "road obstacle", False),
    LabelClass(67, "fence", (64, 64, 128), 13, "road obstacle", False),
    LabelClass(81, "traffic light", (192, 64, 128), 14, "roadside object", False),
    LabelClass(82, "pole", (192, 128, 128), 15, "roadside object", False),
    LabelClass(83, "traffic sign", (0, 64, 64), 16, "roadside object", False),
    LabelClass(84, "wall", (192, 192, 128), 17, "roadside object", False),
    LabelClass(85, "dustbin", (64, 0, 192), 18, "roadside object", False),
    LabelClass(86, "billboard", (192, 0, 192), 19, "roadside object", False),
    LabelClass(97, "building", (192, 0, 128), 20, "building", False),
    LabelClass(98, "bridge", (128, 128, 0), 255, "building", False),
    LabelClass(99, "tunnel", (128, 0, 0), 255, "building", False),
    LabelClass(100, "overpass", (64, 128, 64), 255, "building", False),
    LabelClass(113, "vegetation", (128, 128, 64), 21, "nature", False),
    LabelClass(161, "car group", (0, 0, 142), 1, "movable object", False),
    LabelClass(162, "motorbicycle group", (0, 0, 230), 2, "movable object", False),
    LabelClass(163, "bicycle group", (119, 11, 32), 3, "movable object", False),
    LabelClass(164, "person group", (0, 128, 192), 4, "movable object", False),
    LabelClass(165, "rider group", (128, 64, 128), 5, "movable object", False),
    LabelClass(166, "truck group", (128, 0, 192), 6, "movable object", False),
    LabelClass(167, "bus group", (192, 0, 64), 7, "movable object", False),
    LabelClass(168, "tricycle group", (128, 128, 192), 8, "movable object", False),
    LabelClass(255, "unlabeled", (255, 255, 255), 255, "void", False),
)
