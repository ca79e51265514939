"""The Live workspace: a camera, or a file as if live."""
