"""Who walks where: outfits, and paths on the ground, so that people cross, meet, walk in pairs, stop and leave."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spam_model.data.rendered.figure import LEG, Outfit, Pose
from spam_model.values.candidates import FloatArray

PILLAR = (1.1, 8.2)  # m, x and z of the advertising pillar that people vanish behind
_PILLAR_BERTH = 0.75  # m

_SKIN = ((176, 205, 236), (150, 186, 226), (118, 156, 204), (84, 120, 172), (58, 84, 126), (46, 62, 92))
_HAIR = ((30, 34, 42), (38, 52, 80), (52, 84, 128), (96, 150, 196), (150, 158, 164), (28, 44, 104))
_TOPS = (
    (58, 62, 196), (176, 108, 44), (74, 146, 70), (56, 176, 226), (150, 82, 140), (226, 222, 216),
    (52, 118, 226), (168, 166, 62), (106, 66, 56), (150, 140, 224), (92, 96, 100), (196, 170, 110),
)  # fmt: skip
_LEGS = ((112, 74, 48), (60, 52, 48), (92, 122, 150), (140, 136, 128), (70, 92, 82), (150, 112, 78), (52, 58, 92))
_SHOES = ((44, 44, 48), (232, 232, 230), (46, 66, 104), (60, 60, 160))
_ALIKE = Outfit(1.75, 1.0, _SKIN[1], _HAIR[0], (72, 60, 54), (112, 74, 48), _SHOES[0], coat=True)


@dataclass(frozen=True)
class Walker:
    """One person: ``position`` [F, 2] m (x, z), ``heading``, ``phase`` and ``swing`` [F] rad."""

    outfit: Outfit
    position: FloatArray
    heading: FloatArray
    phase: FloatArray
    swing: FloatArray

    def pose(self, frame: int) -> Pose:
        x, z = self.position[frame]
        return Pose(float(x), float(z), float(self.heading[frame]), float(self.phase[frame]), float(self.swing[frame]))


def make_walkers(people: int, frames: int, frame_rate: float, rng: np.random.Generator) -> list[Walker]:
    """``people`` walkers, every fourth in another's company; about one in five wears the same dark coat and jeans."""
    walkers: list[Walker] = []
    seconds = frames / frame_rate
    alike = set(rng.permutation(people)[: max(2, round(people / 5))].tolist())
    outfits = _outfits(people, rng)
    for index in range(people):
        outfit = outfits[index]
        if index in alike:
            outfit = replace(_ALIKE, height=rng.uniform(1.7, 1.8), hair=outfit.hair if rng.random() < 0.3 else _HAIR[0])
        if index % 4 == 3:
            walkers.append(_companion(walkers[-1], outfit, frame_rate, rng))
            continue
        # Starts are spread over the clip, the first before it, so that the street is never empty.
        start = (index + rng.uniform(0, 0.8)) / people * (seconds + 2.0) - 8.0
        walkers.append(_walker(index, outfit, start, frames, frame_rate, rng))
    return walkers


def _outfits(count: int, rng: np.random.Generator) -> list[Outfit]:
    tops = np.concatenate([rng.permutation(len(_TOPS)) for _ in range(count // len(_TOPS) + 1)])
    outfits = []
    for index in range(count):
        long_hair = bool(rng.random() < 0.45)
        has_pack = rng.random() < 0.25
        outfits.append(
            Outfit(
                height=float(np.clip(rng.normal(1.72, 0.08), 1.52, 1.92)),
                build=float(rng.uniform(0.9, 1.2)),
                skin=_SKIN[rng.integers(len(_SKIN))],
                hair=_HAIR[rng.integers(len(_HAIR))],
                top=_TOPS[tops[index]],
                legs=_LEGS[rng.integers(len(_LEGS))],
                shoes=_SHOES[rng.integers(len(_SHOES))],
                long_hair=long_hair,
                short_sleeves=bool(rng.random() < 0.4),
                skirt=bool(long_hair and rng.random() < 0.45),
                coat=bool(rng.random() < 0.15),
                backpack=_TOPS[rng.integers(len(_TOPS))] if has_pack else None,
            )
        )
    return outfits


def _walker(
    index: int, outfit: Outfit, start: float, frames: int, frame_rate: float, rng: np.random.Generator
) -> Walker:
    """Across the picture, to or fro, or (every fifth) towards the camera or away from it."""
    rightward = bool(index % 2)
    lane = rng.choice([6.2, 6.9, 7.5, 9.2, 10.2, 11.4, 12.8])
    if index % 5 == 2:
        near, far = np.array([rng.uniform(-1.8, 1.8), 2.0]), np.array([rng.choice([-11.0, 11.0]), 13.5])
        begin, end = (far, near) if rightward else (near, far)
    else:
        reach = 0.62 * lane + 1.0  # just outside the picture
        begin, end = np.array([-reach, lane]), np.array([reach, lane + rng.uniform(-0.8, 0.8)])
        if not rightward:
            begin, end = np.array([reach, lane]), np.array([-reach, end[1]])
    earlier = round(max(0.0, -start) * frame_rate)  # frames walked before the clip begins
    time = np.arange(-earlier, frames) / frame_rate - start
    speed = np.where(time > 0, rng.uniform(0.9, 1.35), 0.0)
    if rng.random() < 0.6:  # stops for a while to look around
        stop, still = rng.uniform(3.0, 6.0), rng.uniform(3.0, 9.0)
        speed = speed * (1 - _bump(time, stop, stop + still))
    walked = (np.cumsum(speed) / frame_rate)[earlier:]
    ahead = (end - begin) / np.linalg.norm(end - begin)
    sway = rng.uniform(0.1, 0.35) * np.sin(walked * rng.uniform(0.5, 0.9) + rng.uniform(0, 6))
    position = begin + walked[:, None] * ahead + sway[:, None] * np.array([-ahead[1], ahead[0]])
    return _animated(outfit, position, frame_rate, float(np.arctan2(ahead[1], ahead[0])), rng)


def _companion(walker: Walker, outfit: Outfit, frame_rate: float, rng: np.random.Generator) -> Walker:
    """Walks beside ``walker``, farther from the camera."""
    time = np.arange(len(walker.position)) / frame_rate
    drift = 0.12 * np.sin(time * 0.8 + rng.uniform(0, 6))
    position = walker.position + np.stack([0.25 + drift, np.full(len(time), 0.62)], axis=1)
    return _animated(outfit, position, frame_rate, float(walker.heading[0]), rng)


def _animated(
    outfit: Outfit, position: FloatArray, frame_rate: float, heading: float, rng: np.random.Generator
) -> Walker:
    """Heading and gait follow from the path: legs swing as far as the speed asks, so that feet do not slide."""
    position = _around_pillar(position, heading)
    step = np.gradient(position, axis=0) * frame_rate  # [F, 2], m/s
    speed = np.linalg.norm(step, axis=1)
    turning = np.where(speed > 0.2, np.arctan2(step[:, 1], step[:, 0]), np.nan)
    known = np.flatnonzero(~np.isnan(turning))
    if len(known):
        turning = np.interp(np.arange(len(step)), known, np.unwrap(turning[known]))
    else:
        turning = np.full(len(step), heading)
    swing = 0.44 * np.clip(speed / 1.3, 0.0, 1.15)
    stride = 4 * LEG * outfit.height * np.sin(np.maximum(swing, 0.1))  # m per two steps
    phase = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.cumsum(speed / stride) / frame_rate
    return Walker(outfit, position, turning, phase, swing)


def _around_pillar(position: FloatArray, heading: float) -> FloatArray:
    """Bends a path [F, 2] around the pillar, on the side that it passes anyway."""
    ahead = np.array([np.cos(heading), np.sin(heading)])
    aside = np.array([-ahead[1], ahead[0]])
    along, across = (position - PILLAR) @ ahead, (position - PILLAR) @ aside
    side = 1.0 if float(across[np.abs(along).argmin()]) >= 0 else -1.0
    room = _PILLAR_BERTH * np.exp(-0.5 * (along / 0.9) ** 2)
    across = side * np.maximum(side * across, room)
    return np.asarray(PILLAR + along[:, None] * ahead + across[:, None] * aside)


def _bump(time: FloatArray, start: float, end: float) -> FloatArray:
    """0, rising smoothly to 1 at ``start`` and falling at ``end``, over 0.4 s each."""
    rise = np.clip((time - start) / 0.4, 0, 1)
    fall = np.clip((end - time) / 0.4, 0, 1)
    return np.asarray(np.minimum(rise, fall))
