"""``seglift predict``: a model over frames."""
