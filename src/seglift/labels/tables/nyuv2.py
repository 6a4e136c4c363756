"""NYUv2 (Silberman et al., ECCV 2012) in the 40 classes of Gupta et al., CVPR 2013; 0 is unlabelled.

The data set has no official colours for them: these are the ones ScanNet made common. Categories follow the four
groups of the NYUv2 paper (floor, structure, furniture, prop); all but wall, floor and ceiling are things.
"""

from __future__ import annotations

from seglift.labels.space import LabelClass

NYUV2 = (
    LabelClass(0, "unlabeled", (0, 0, 0), 255, "void", False),
    LabelClass(1, "wall", (174, 199, 232), 0, "structure", False),
    LabelClass(2, "floor", (152, 223, 138), 1, "floor", False),
    LabelClass(3, "cabinet", (31, 119, 180), 2, "furniture", True),
    LabelClass(4, "bed", (255, 187, 120), 3, "furniture", True),
    LabelClass(5, "chair", (188, 189, 34), 4, "furniture", True),
    LabelClass(6, "sofa", (140, 86, 75), 5, "furniture", True),
    LabelClass(7, "table", (255, 152, 150), 6, "furniture", True),
    LabelClass(8, "door", (214, 39, 40), 7, "structure", True),
    LabelClass(9, "window", (197, 176, 213), 8, "structure", True),
    LabelClass(10, "bookshelf", (148, 103, 189), 9, "furniture", True),
    LabelClass(11, "picture", (196, 156, 148), 10, "prop", True),
    LabelClass(12, "counter", (23, 190, 207), 11, "furniture", True),
    LabelClass(13, "blinds", (178, 76, 76), 12, "prop", True),
    LabelClass(14, "desk", (247, 182, 210), 13, "furniture", True),
    LabelClass(15, "shelves", (66, 188, 102), 14, "furniture", True),
    LabelClass(16, "curtain", (219, 219, 141), 15, "prop", True),
    LabelClass(17, "dresser", (140, 57, 197), 16, "furniture", True),
    LabelClass(18, "pillow", (202, 185, 52), 17, "prop", True),
    LabelClass(19, "mirror", (51, 176, 203), 18, "prop", True),
    LabelClass(20, "floor mat", (200, 54, 131), 19, "prop", True),
    LabelClass(21, "clothes", (92, 193, 61), 20, "prop", True),
    LabelClass(22, "ceiling", (78, 71, 183), 21, "structure", False),
    LabelClass(23, "books", (172, 114, 82), 22, "prop", True),
    LabelClass(24, "refrigerator", (255, 127, 14), 23, "furniture", True),
    LabelClass(25, "television", (91, 163, 138), 24, "prop", True),
    LabelClass(26, "paper", (153, 98, 156), 25, "prop", True),
    LabelClass(27, "towel", (140, 153, 101), 26, "prop", True),
    LabelClass(28, "shower curtain", (158, 218, 229), 27, "prop", True),
    LabelClass(29, "box", (100, 125, 154), 28, "prop", True),
    LabelClass(30, "whiteboard", (178, 127, 135), 29, "prop", True),
    LabelClass(31, "person", (120, 185, 128), 30, "prop", True),
    LabelClass(32, "night stand", (146, 111, 194), 31, "furniture", True),
    LabelClass(33, "toilet", (44, 160, 44), 32, "furniture", True),
    LabelClass(34, "sink", (112, 128, 144), 33, "furniture", True),
    LabelClass(35, "lamp", (96, 207, 209), 34, "prop", True),
    LabelClass(36, "bathtub", (227, 119, 194), 35, "furniture", True),
    LabelClass(37, "bag", (213, 92, 176), 36, "prop", True),
    LabelClass(38, "otherstructure", (94, 106, 211), 37, "structure", True),
    LabelClass(39, "otherfurniture", (82, 84, 163), 38, "furniture", True),
    LabelClass(40, "otherprop", (100, 85, 144), 39, "prop", True),
)
