"""Faces in a frame: landmarks, identities over time, alignment, pose, quality."""
