"""What the Nuclio handlers share, so that each ``main.py`` only decodes, calls and encodes."""
