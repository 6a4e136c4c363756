"""Whole procedures: label, score, demo."""
