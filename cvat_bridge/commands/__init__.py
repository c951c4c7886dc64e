"""One module per sub-command of ``cvat-bridge``."""
