"""``seglift label``: the main job."""
