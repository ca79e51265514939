"""Pictures without Qt: the overlay on a frame, colours, the timeline as a figure."""
