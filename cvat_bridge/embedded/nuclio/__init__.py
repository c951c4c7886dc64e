"""A Nuclio-compatible host: runs function folders as Nuclio's Python runtime does, without Docker.

Nothing is imported here: a worker process starts in this package and should start fast.
"""
