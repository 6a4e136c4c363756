"""Mergeable statistics of label quality."""
