"""Identities: a person in the video keeps their number, whatever the model calls their track this round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cvat_bridge.identities import candidate_identities, keep_identities, marked_identities, recover_identities
from cvat_bridge.plan import job_parts
from cvat_bridge.wire import Annotations
from spam_model.values import Labels
from tests.cvat_bridge.builders import PERSON, as_pushed, by_hand, job, labels, renumbered, standing, straight

JOBS = (job(1, 0, 29), job(2, 30, 59))

partitions = st.lists(st.integers(1, 5), min_size=1, max_size=40)


def of_candidates(track_of: list[int]) -> Labels:
    """Candidate i belongs to track ``track_of[i]`` and lies on frame i."""
    tracks = {number: [(i, 10.0) for i, t in enumerate(track_of) if t == number] for number in set(track_of)}
    made = labels(tracks)
    return replace(made, candidate_id=made.frame.copy())


def test_the_first_round_numbers_from_one() -> None:
    assert keep_identities(labels({5: straight(0, 3), 9: straight(0, 3)}), {}) == {5: 1, 9: 2}


def test_boxes_that_people_drew_carry_an_identity_and_filled_gaps_none() -> None:
    made = labels({1: straight(0, 2)})
    made = replace(made, candidate_id=np.array([5, -1, -(2**61)]))
    assert candidate_identities(made, {1: 7}) == {5: 7, -(2**61): 7}


@settings(max_examples=100, deadline=None)
@given(track_of=partitions, order=st.permutations(range(1, 6)))
def test_new_numbers_of_the_model_change_no_identity(track_of: list[int], order: list[int]) -> None:
    before = of_candidates(track_of)
    first = candidate_identities(before, keep_identities(before, {}))
    after = renumbered(before, {number: order[number - 1] for number in range(1, 6)})
    assert candidate_identities(after, keep_identities(after, first)) == first


@settings(max_examples=150, deadline=None)
@given(before=partitions, after=partitions, highest=st.integers(0, 20))
def test_whatever_merges_and_splits_identities_stay_one_to_one(
    before: list[int], after: list[int], highest: int
) -> None:
    old = of_candidates(before)
    previous = candidate_identities(old, keep_identities(old, {}))
    new = of_candidates(after)
    found = keep_identities(new, previous, highest)
    assert sorted(found) == new.track_ids.tolist()
    assert len(set(found.values())) == len(found)
    fresh = set(found.values()) - set(previous.values())
    assert all(identity > max(highest, *previous.values()) for identity in fresh)


@settings(max_examples=100, deadline=None)
@given(before=partitions, after=partitions)
def test_as_many_candidates_as_possible_keep_their_identity(before: list[int], after: list[int]) -> None:
    """Independent reference: every assignment of old numbers to new tracks, by brute force."""
    from itertools import permutations

    old, new = of_candidates(before), of_candidates(after)
    previous = candidate_identities(old, keep_identities(old, {}))
    now = candidate_identities(new, keep_identities(new, previous))
    kept = sum(previous.get(candidate) == identity for candidate, identity in now.items())
    tracks = new.track_ids.tolist()
    slots = [*sorted(set(previous.values())), *[-1] * len(tracks)]
    best = max(
        sum(
            previous.get(c) == number
            for c, number in candidate_identities(new, dict(zip(tracks, order, strict=True))).items()
        )
        for order in set(permutations(slots[: max(len(tracks), 5)], len(tracks)))
    )
    assert kept >= best


def test_a_merged_track_takes_the_number_of_its_longer_half_and_a_split_gives_the_shorter_a_new_one() -> None:
    two = labels({1: straight(0, 9), 2: straight(10, 39)})
    previous = candidate_identities(two, {1: 1, 2: 2})
    one = labels({1: straight(0, 39)})
    assert keep_identities(one, previous) == {1: 2}
    merged = candidate_identities(one, {1: 2})
    assert keep_identities(two, merged) == {1: 3, 2: 2}


def test_a_number_that_went_out_of_use_never_comes_back() -> None:
    """Else a person's deletion of the old track would hide the new one."""
    previous = {0: 1, 1: 1}  # identity 2 was pushed once, and is gone since
    new = labels({1: straight(0, 1), 2: straight(10, 12)})
    assert keep_identities(new, previous, highest=2) == {1: 1, 2: 3}


def test_filled_gaps_carry_no_identity_over() -> None:
    made = labels({1: straight(0, 3)})
    gaps = replace(made, candidate_id=np.array([0, -1, -1, 3]))
    assert candidate_identities(gaps, {1: 4}) == {0: 4, 3: 4}


def _pushed(wanted: Labels, identity_of: dict[int, int]) -> dict[int, Annotations]:
    return {
        each.id: Annotations(
            tracks=tuple(
                as_pushed(part, 100 * each.id + i)
                for i, part in enumerate(job_parts(wanted, identity_of, each, {0: PERSON.id}))
            )
        )
        for each in JOBS
    }


def test_a_lost_journal_finds_the_identities_in_cvat_again() -> None:
    wanted = labels({1: straight(0, 40), 2: straight(5, 55, 200, -1), 3: straight(0, 59, 120, 0)})
    current = _pushed(wanted, {1: 7, 2: 3, 3: 12})
    previous = recover_identities(wanted, JOBS, current, (PERSON,))
    assert keep_identities(wanted, previous) == {1: 7, 2: 3, 3: 12}
    assert marked_identities(current, (PERSON,)) == {7, 3, 12}


def test_recovery_goes_by_place_and_time_and_leaves_other_objects_new() -> None:
    current = _pushed(labels({1: straight(0, 40)}), {1: 7})
    now = labels({1: straight(0, 40, 250, 0), 2: straight(2, 38, 15)})
    previous = recover_identities(now, JOBS, current, (PERSON,))
    assert keep_identities(now, previous, highest=7) == {1: 8, 2: 7}


def test_there_is_nothing_to_recover_from_people_s_own_tracks_or_an_empty_task() -> None:
    wanted = labels({1: straight(0, 40)})
    assert recover_identities(wanted, (job(),), standing(by_hand(straight(0, 40))), (PERSON,)) == {}
    assert recover_identities(wanted, (job(),), standing(), (PERSON,)) == {}
