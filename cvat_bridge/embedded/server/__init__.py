"""A small CVAT-compatible server: what our flows use through the official SDK, and nothing else (see scope)."""
