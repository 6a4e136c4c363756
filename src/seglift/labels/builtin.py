"""The label spaces known by name."""

from __future__ import annotations

from seglift.labels.space import LabelClass, LabelSpace
from seglift.labels.tables.apolloscape import APOLLOSCAPE
from seglift.labels.tables.camvid import CAMVID11, CAMVID32
from seglift.labels.tables.cityscapes import BDD100K, CITYSCAPES, GTA5
from seglift.labels.tables.mapillary import MAPILLARY
from seglift.labels.tables.nyuv2 import NYUV2

# Two raw ids for one class: masks come as 0/1 or as 0/255 and are written back as they came (`preferring`).
BINARY = (
    LabelClass(0, "background", (0, 0, 0), 0, "background", False),
    LabelClass(1, "foreground", (255, 255, 255), 1, "foreground", True),
    LabelClass(255, "foreground (255)", (255, 255, 255), 1, "foreground", True),
)

BUILTIN_SPACES: dict[str, LabelSpace] = {
    space.name: space
    for space in (
        LabelSpace("cityscapes", CITYSCAPES, ignore=0),
        LabelSpace("camvid11", CAMVID11, ignore=11),
        LabelSpace("camvid32", CAMVID32, ignore=30),
        LabelSpace("kitti", CITYSCAPES, ignore=0),
        LabelSpace("nyuv2", NYUV2, ignore=0),
        LabelSpace("apolloscape", APOLLOSCAPE, ignore=255),
        LabelSpace("bdd100k", BDD100K, ignore=255),
        LabelSpace("mapillary", MAPILLARY, ignore=65),
        LabelSpace("gta5", GTA5, ignore=0),
        LabelSpace("synscapes", CITYSCAPES, ignore=0),
        LabelSpace("binary", BINARY, ignore=None),
    )
}
