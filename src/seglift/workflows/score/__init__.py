"""``seglift score``: labels against ground truth."""
