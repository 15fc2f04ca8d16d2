"""A trained network as a tool: one's own photographs to hands in 3D, their meshes, their numbers, and pictures."""
