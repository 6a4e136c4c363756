"""Frames of unlabelled video as training samples: clips, triplets of frames, random views of them with their flows."""
