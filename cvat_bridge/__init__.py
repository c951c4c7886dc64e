"""The safe round trip between CVAT tasks and the SPAM model."""
