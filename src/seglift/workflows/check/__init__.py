"""``seglift check``: what is wrong with a dataset."""
