"""Meshes to images: z-buffer, light and colour, at a pinhole camera."""
