"""Where the model runs: in this process, or behind a deployed function. One interface, one result."""

from cvat_bridge.backend.protocol import Backend, BackendDescription
from cvat_bridge.backend.select import open_backend

__all__ = ["Backend", "BackendDescription", "open_backend"]
