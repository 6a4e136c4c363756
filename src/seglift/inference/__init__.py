"""Image to logits: multi-scale, flip, sliding window; adapters for hub models."""
