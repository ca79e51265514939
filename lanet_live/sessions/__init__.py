"""Sessions on disk: a plain folder written while live, read in review. Imports nothing of Qt.

A session folder holds

    session.json   what was recorded, how, and whether it is whole
    frames.csv     one row per face and frame, the columns of the export
    corrected.csv  probabilities corrected by neutral baselines; only if there was one
    events.csv     markers, notes and excluded ranges
    faces.csv      the faces: names, first and last moment, baseline
    video.mp4      the pictures; only if chosen, blurred if chosen

Every file is valid at every moment; a crash loses at most the last second.
"""
