"""Frames from folders and video files; a clip is frames plus labelled keyframes."""
