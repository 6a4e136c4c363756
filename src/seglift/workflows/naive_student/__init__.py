"""``seglift selftrain``: rounds of teacher and student over unlabelled frames (Naive-Student)."""
