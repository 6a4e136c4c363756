"""Panoptic segmentation: from a network's three maps to segments with class, number and score."""
