"""Estimates of a dry run in words."""

from __future__ import annotations


def describe_duration(seconds: float) -> str:
    """Seconds in words, at least one second."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{max(1.0, seconds):.0f} s"


def describe_bytes(count: int) -> str:
    """Bytes in words, at least one MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1.0, count / 1e6):.0f} MB"
