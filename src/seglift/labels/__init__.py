"""What a pixel value means: label spaces, reading and writing label maps, instance ids, overlays."""
