"""What output folders have in common: one writer, journals, manifests, timing."""
