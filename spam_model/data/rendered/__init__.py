"""A street scene of our own with ground truth, drawn with OpenCV: for the demo, the README and tests without data."""

from spam_model.data.rendered.render import render_clip

__all__ = ["render_clip"]
