"""Looking at what was recorded: opening, editing, summarising and exporting. Imports nothing of Qt.

The recording itself is never changed: edits live in a file of their own beside it.
"""
