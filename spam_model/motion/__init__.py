"""Motion that all boxes of a clip share."""

from spam_model.motion.camera import camera_path

__all__ = ["camera_path"]
