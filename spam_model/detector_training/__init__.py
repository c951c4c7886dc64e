"""Training of the detectors: from images with boxes, and from the labels and answers of a clip."""
