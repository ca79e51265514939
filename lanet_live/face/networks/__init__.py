"""The face models run network by network on an engine, in place of MediaPipe's graph."""
