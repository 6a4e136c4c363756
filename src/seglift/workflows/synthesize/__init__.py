"""``seglift synthesize``: the neighbours of every labelled frame of a dataset."""
