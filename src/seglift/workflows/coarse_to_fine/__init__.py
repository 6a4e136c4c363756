"""Coarse-to-fine self-training (Das et al. 2023): coarse polygons and synthetic images instead of fine annotation."""
