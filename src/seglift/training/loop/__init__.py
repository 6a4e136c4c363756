"""The one training loop: steps, processes, checkpoints, logs; knows nothing of what is trained."""
