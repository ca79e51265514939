"""Data sets as distributed on disk, prepared once into one layout."""
