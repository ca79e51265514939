"""Widgets that know records and colours, but no runner and no files."""
