"""CamVid (Brostow et al., 2009): the 11-class grouping of the SegNet files and the original 32 colours.

Colours of the 32 classes are the data set's; an 11-class group has the colour of the class it is named for. CamVid
itself has no categories and no instances: the categories are those of Cityscapes, things are what can be counted.
"""

from __future__ import annotations

from seglift.labels.space import LabelClass

CAMVID11 = (
    LabelClass(0, "sky", (128, 128, 128), 0, "sky", False),
    LabelClass(1, "building", (128, 0, 0), 1, "construction", False),
    LabelClass(2, "pole", (192, 192, 128), 2, "object", False),
    LabelClass(3, "road", (128, 64, 128), 3, "flat", False),
    LabelClass(4, "sidewalk", (0, 0, 192), 4, "flat", False),
    LabelClass(5, "tree", (128, 128, 0), 5, "nature", False),
    LabelClass(6, "sign", (192, 128, 128), 6, "object", False),
    LabelClass(7, "fence", (64, 64, 128), 7, "construction", False),
    LabelClass(8, "car", (64, 0, 128), 8, "vehicle", True),
    LabelClass(9, "pedestrian", (64, 64, 0), 9, "human", True),
    LabelClass(10, "bicyclist", (0, 128, 192), 10, "human", True),
    LabelClass(11, "void", (0, 0, 0), 255, "void", False),
)

CAMVID32 = (
    LabelClass(0, "Animal", (64, 128, 64), 0, "animal", True),
    LabelClass(1, "Archway", (192, 0, 128), 1, "construction", False),
    LabelClass(2, "Bicyclist", (0, 128, 192), 2, "human", True),
    LabelClass(3, "Bridge", (0, 128, 64), 3, "construction", False),
    LabelClass(4, "Building", (128, 0, 0), 4, "construction", False),
    LabelClass(5, "Car", (64, 0, 128), 5, "vehicle", True),
    LabelClass(6, "CartLuggagePram", (64, 0, 192), 6, "object", True),
    LabelClass(7, "Child", (192, 128, 64), 7, "human", True),
    LabelClass(8, "Column_Pole", (192, 192, 128), 8, "object", False),
    LabelClass(9, "Fence", (64, 64, 128), 9, "construction", False),
    LabelClass(10, "LaneMkgsDriv", (128, 0, 192), 10, "flat", False),
    LabelClass(11, "LaneMkgsNonDriv", (192, 0, 64), 11, "flat", False),
    LabelClass(12, "Misc_Text", (128, 128, 64), 12, "object", False),
    LabelClass(13, "MotorcycleScooter", (192, 0, 192), 13, "vehicle", True),
    LabelClass(14, "OtherMoving", (128, 64, 64), 14, "vehicle", True),
    LabelClass(15, "ParkingBlock", (64, 192, 128), 15, "flat", False),
    LabelClass(16, "Pedestrian", (64, 64, 0), 16, "human", True),
    LabelClass(17, "Road", (128, 64, 128), 17, "flat", False),
    LabelClass(18, "RoadShoulder", (128, 128, 192), 18, "flat", False),
    LabelClass(19, "Sidewalk", (0, 0, 192), 19, "flat", False),
    LabelClass(20, "SignSymbol", (192, 128, 128), 20, "object", False),
    LabelClass(21, "Sky", (128, 128, 128), 21, "sky", False),
    LabelClass(22, "SUVPickupTruck", (64, 128, 192), 22, "vehicle", True),
    LabelClass(23, "TrafficCone", (0, 0, 64), 23, "object", False),
    LabelClass(24, "TrafficLight", (0, 64, 64), 24, "object", False),
    LabelClass(25, "Train", (192, 64, 128), 25, "vehicle", True),
    LabelClass(26, "Tree", (128, 128, 0), 26, "nature", False),
    LabelClass(27, "Truck_Bus", (192, 128, 192), 27, "vehicle", True),
    LabelClass(28, "Tunnel", (64, 0, 64), 28, "construction", False),
    LabelClass(29, "VegetationMisc", (192, 192, 0), 29, "nature", False),
    LabelClass(30, "Void", (0, 0, 0), 255, "void", False),
    LabelClass(31, "Wall", (64, 192, 0), 30, "construction", False),
)
