"""Asking people: which questions pay most, what their answers mean, and a simulated annotator for experiments."""
