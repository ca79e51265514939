"""A queue of videos, picture folders and sessions, analysed one after the other. Knows no Qt."""
