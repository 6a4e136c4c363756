"""Weights to start a training from: an earlier training, a published checkpoint, a pretrained encoder."""
