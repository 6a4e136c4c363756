"""Interchange formats."""
