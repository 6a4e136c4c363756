"""``seglift study``: policies compared over seeds."""
