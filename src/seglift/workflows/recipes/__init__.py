"""Recipes as plain values: read strictly, changed by dotted names."""
