"""Procedural street video with exact ground truth: the embedded data set and laboratory of the project."""

from seglift.datasets.streets.config import EGO_MOTIONS, StreetConfig
from seglift.datasets.streets.frame import StreetFrame
from seglift.datasets.streets.renderer import render_street
from seglift.datasets.streets.styles import STYLES, StreetStyle
from seglift.datasets.streets.writing import write_streets

__all__ = ["EGO_MOTIONS", "STYLES", "StreetConfig", "StreetFrame", "StreetStyle", "render_street", "write_streets"]
