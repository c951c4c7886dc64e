"""The product's story end to end, on this machine: embedded CVAT, embedded function host, simulated reviewers."""
