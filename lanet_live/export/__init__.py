"""Analyse files or a camera into tables, videos and pictures."""
