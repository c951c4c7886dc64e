"""Nuclio functions that host the SPAM model."""
