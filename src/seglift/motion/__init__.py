"""Sampling maps, warping, optical flow estimators, forward-backward consistency."""
