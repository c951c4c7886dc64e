"""Pictures inside the page: WebP as data URIs, and never more bytes than the page can bear."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image as PilImage

from cvat_bridge.reporting.overlay import overlay_at
from spam_model.data.clip import FrameSource, Image
from spam_model.values import Labels

SHEET_FRAMES, SHEET_WIDTH, SHEET_BYTES = 9, 640, 800_000
CARD_BYTES = 2_600_000
CARD_LADDER = ((800, 70), (640, 60), (480, 50), (360, 40))  # width in px, WebP quality
CLIP_BYTES = 1_700_000
CLIP_LADDER = ((480, 50), (400, 40), (320, 30))
CLIP_SECONDS, CLIP_RATE = 6.0, 8.0  # length, and pictures a second


def data_uri(encoded: bytes) -> str:
    """A WebP file as the address of an image."""
    return f"data:image/webp;base64,{base64.b64encode(encoded).decode('ascii')}"


def webp(image: Image, width: int, quality: int) -> bytes:
    """``image`` at most ``width`` px across, as a WebP file."""
    if image.shape[1] > width:
        height = max(round(image.shape[0] * width / image.shape[1]), 1)
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    encoded: bytes = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    return encoded


def card_uris(cards: Sequence[Image], budget: int = CARD_BYTES) -> list[str | None]:
    """Addresses of the cards, as large as all of them fit into ``budget`` bytes; None for those beyond it."""
    if not cards:
        return []
    rows = np.unique(np.linspace(0, len(cards) - 1, min(len(cards), 6)).round().astype(int))
    for width, quality in CARD_LADDER:
        mean = float(np.mean([len(webp(cards[row], width, quality)) for row in rows]))
        if 1.1 * mean * len(cards) <= budget:
            break
    uris: list[str | None] = []
    for card in cards:
        encoded = webp(card, width, quality)
        budget -= len(encoded)
        uris.append(data_uri(encoded) if budget >= 0 else None)
    return uris


def contact_sheet(frames: FrameSource, labels: Labels) -> list[tuple[int, str]]:
    """Frame numbers and addresses of overlays, evenly spaced over the clip."""
    count = frames.info.frame_count
    shown = np.unique(np.linspace(0, count - 1, min(count, SHEET_FRAMES)).round().astype(int))
    images = [overlay_at(frames, labels, int(frame), SHEET_WIDTH) for frame in shown]
    for quality in (75, 55, 35):
        encoded = [webp(image, SHEET_WIDTH, quality) for image in images]
        if sum(map(len, encoded)) <= SHEET_BYTES:
            break
    return [(int(frame), data_uri(item)) for frame, item in zip(shown, encoded, strict=True)]


def overlay_clip(frames: FrameSource, labels: Labels, budget: int = CLIP_BYTES) -> bytes | None:
    """A few seconds from the middle of the clip with its tracks, as an animated WebP that plays at real speed.

    None for a clip of one frame, or where even the smallest one is larger than ``budget`` bytes.
    """
    info = frames.info
    if info.frame_count < 2:
        return None
    step = max(math.floor(info.frame_rate / CLIP_RATE), 1)
    length = min(info.frame_count, round(CLIP_SECONDS * info.frame_rate))
    start = (info.frame_count - length) // 2
    shown = range(start, start + length, step)
    overlays = [overlay_at(frames, labels, frame, CLIP_LADDER[0][0]) for frame in shown]
    for width, quality in CLIP_LADDER:
        height = max(round(overlays[0].shape[0] * width / overlays[0].shape[1]), 1)
        pictures = [
            PilImage.fromarray(cv2.resize(item, (width, height), interpolation=cv2.INTER_AREA)[..., ::-1])
            for item in overlays
        ]
        buffer = io.BytesIO()
        pictures[0].save(
            buffer,
            "WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=round(1000 * step / info.frame_rate),
            loop=0,
            quality=quality,
            method=3,
        )
        if buffer.tell() <= budget:
            return buffer.getvalue()
    return None
