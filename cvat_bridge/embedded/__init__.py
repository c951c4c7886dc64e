"""Stand-ins for CVAT and Nuclio on a machine without Docker: the demo and the tests run on them."""
