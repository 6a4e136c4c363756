"""Labelled images as training sees them: samples, their cache, random views."""
