"""The heart: carrying labels from keyframes to every frame."""
