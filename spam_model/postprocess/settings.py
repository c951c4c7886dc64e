"""What is done to tracks before anyone sees them; defaults chosen on ``tune/`` only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PostprocessSettings:
    """Times in seconds, so that they mean the same at any frame rate.

    Mean HOTA at zero clicks of MOT17-05, MOT17-11 (YOLOX-X) and TUD-Campus (YOLOX-nano): gaps filled up to 0 / 1 /
    1.5 / 2 / 3 s: 64.0 / 69.7 / 69.7 / 69.6 / 67.2; smoothing of 0 / 0.08 / 0.12 / 0.16 s: 67.9 / 69.5 / 69.7 / 69.5;
    tracks from 0 / 0.4 / 0.8 s on: 69.6 / 69.7 / 69.6.

    Attributes:
        max_gap: longest stretch without a box that is filled; 0 fills none.
        max_confirmed_gap: the same for a stretch that a person's link crosses: somebody said that it is one object on
            both sides, not where it was in between. No limit of its own where it is below ``max_gap``.
        smoothing: σ of the kernel over the boxes' middles, twice that over their sizes; 0 smooths nothing.
        min_duration: tracks with fewer boxes than this time has frames are dropped; in clips of less than twice this
            time, those with fewer boxes than half the clip has frames.
        min_best_score: tracks whose best score is below this share of the clip's strong scores are dropped.
        stabilise: smooth and fill in the scene, the camera's motion taken away, rather than in the image. Right where
            the truth follows every shake (simulated shake and pan, perfect tracks: +1.2 HOTA). Off, because on
            MOT17-05 and MOT17-11 it costs 0.5 HOTA on tracks and 0.8 on perfect tracks, with camera motion from the
            images (gmc.txt) nearly as much: their truth, presumably drawn between key frames, does not shake along.
        clip: cut boxes at the image border. Off, because ground truth of MOT17 goes on beyond it: there clipping cost
            2.9 (MOT17-11) and 6.4 (MOT17-05) HOTA of perfect tracks. A box that lies outside is left out either way,
            unless a person vouches for it.
    """

    max_gap: float = 1.5
    smoothing: float = 0.12
    min_duration: float = 0.4
    min_best_score: float = 0.85
    stabilise: bool = False
    clip: bool = False
    max_confirmed_gap: float = 0.0
