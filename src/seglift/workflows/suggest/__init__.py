"""``seglift suggest``: what to annotate next, and the hours it takes."""
