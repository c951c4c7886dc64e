"""Simulated crowds: candidates with known identities, on which the graph hierarchy is trained without any label."""

from spam_model.simulation.config import SimulationConfig, sample_config
from spam_model.simulation.scene import SimulatedClip, simulate

__all__ = ["SimulatedClip", "SimulationConfig", "sample_config", "simulate"]
