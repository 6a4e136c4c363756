"""Parts of ``label_quality.py``: what is labelled, by which setups, and how the scores are shown."""
