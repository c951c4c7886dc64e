"""What people did to the tracks that we pushed."""

from __future__ import annotations

from cvat_bridge.ownership import digest_of, mark_of
from cvat_bridge.wire import Label, Track


def deleted_identities(
    confirmed: dict[str, int], standing: tuple[Track, ...], by_id: dict[int, Label]
) -> frozenset[int]:
    """Identities that a person took out of a job: read back once, gone now, with no edited form of them left.

    Args:
        confirmed: digest -> identity of what we wrote and read back.
        standing: the job's tracks now.
    """
    digests = {digest_of(track) for track in standing}
    marks = (mark_of(track, by_id.get(track.label_id)) for track in standing)
    present = {mark.identity for mark in marks if mark}
    return frozenset(
        identity for digest, identity in confirmed.items() if digest not in digests and identity not in present
    )
