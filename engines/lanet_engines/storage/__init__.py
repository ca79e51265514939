"""What engines keep on disk: built artefacts and the cache of them."""
