"""The Analyze workspace: a queue of files, sessions and folders, worked off in the background."""
