"""Clips and samples from data sets; the procedural streets."""
