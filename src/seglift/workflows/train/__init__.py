"""``seglift train``: whatever a recipe says."""
