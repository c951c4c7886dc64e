from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvat_bridge.cards import CardContext, compose_card, theme
from cvat_bridge.cards.parts import CONTENT
from spam_model.values import OPTION_LETTERS, Anchor, Box, ClipInfo, Query, QueryKind, Topic
from tests.cvat_bridge.cards.painted import PaintedFrames, labels_of, tracklet

INFO = ClipInfo("street", 90, 30.0, 320, 240, ("person",))
FRAMES = PaintedFrames(INFO)
PERSON = (100.0, 60.0, 130.0, 140.0)


def association(options: int, spread: int = 0, topic: Topic | None = None) -> Query:
    subject = tracklet(0, 10, PERSON, 12)
    rivals = tuple(
        tracklet(100 * (k + 1), 30 + spread * k, (20.0 + 40 * k, 60.0, 50.0 + 40 * k, 140.0), 10)
        for k in range(options)
    )
    return Query(QueryKind.ASSOCIATION, 3, subject, rivals, topic=topic)


def detection(box: Box, frame: int = 0, count: int = 1, topic: Topic | None = None) -> Query:
    return Query(QueryKind.DETECTION, 0, tracklet(0, frame, box, count), topic=topic)


def place(box: Box = PERSON, before: Box = PERSON, after: Box = PERSON, topic: Topic = Topic.PLACE) -> Query:
    ends = (Anchor(700, 30, before, 0), Anchor(701, 50, after, 0))
    return Query(QueryKind.LOCALIZATION, 0, (Anchor(-9, 40, box, 0),), topic=topic, between=ends)


CASES = {
    "one box": detection(PERSON, frame=40),
    "first frame": detection(PERSON, frame=0),
    "last frame": detection(PERSON, frame=89),
    "tiny, in the corner": detection((314.0, 229.0, 319.0, 239.0), frame=5),
    "beyond the frame": detection((-30.0, 200.0, 10.0, 290.0), frame=5),
    "larger than the frame": detection((-50.0, -50.0, 400.0, 300.0), frame=5),
    "flat as a kerb": detection((10.0, 100.0, 310.0, 103.0), frame=5),
    "tracklet of two": detection(PERSON, frame=88, count=2),
    "long tracklet": detection(PERSON, frame=3, count=40),
    "one option": association(1),
    "three options": association(3),
    "seven options": association(7),
    "seven options, far apart in time": association(7, spread=8),
    "rectangle": Query(QueryKind.LOCALIZATION, 0, tracklet(0, 40, PERSON)),
    "meeting": association(2, topic=Topic.CROSSING),
    "meeting, one option": association(1, topic=Topic.CROSSING),
    "gap": association(5, topic=Topic.GAP),
    "next, one option": association(1, topic=Topic.NEXT),
    "next, three options": association(3, spread=9, topic=Topic.NEXT),
    "next, seven options": association(7, spread=7, topic=Topic.NEXT),
    "run of one box": detection(PERSON, frame=40, topic=Topic.RUN),
    "run of many boxes": detection(PERSON, frame=3, count=30, topic=Topic.RUN),
    "place": place(),
    "place, beyond the frame": place((-30.0, 200.0, 10.0, 290.0), after=(300.0, 10.0, 340.0, 100.0)),
    "place, tiny and far to go": place(
        (150.0, 100.0, 153.0, 108.0), (0.0, 0.0, 3.0, 8.0), (300.0, 200.0, 303.0, 208.0)
    ),
}


@pytest.mark.parametrize("query", CASES.values(), ids=CASES.keys())
def test_a_card_fills_the_canvas_and_keeps_out_of_the_badge(query: Query) -> None:
    labels = labels_of(INFO, [tracklet(900, 0, (200.0, 50.0, 230.0, 140.0), 60, step=1.0)])
    card = compose_card(query, FRAMES, CardContext(labels))
    assert card.image.shape == (720, 1280, 3)
    assert card.image.dtype == np.uint8
    assert (card.image[: theme.BADGE_HEIGHT, : theme.BADGE_WIDTH] == theme.BACKGROUND).all()
    shown = (card.image != theme.BACKGROUND).any(axis=2)
    assert shown[10:54].any(), "the question"
    assert shown[CONTENT.y :].mean() > 0.2, "the pictures"
    outside = np.ones_like(shown)
    outside[:, theme.MARGIN : -theme.MARGIN] = False
    assert not shown[outside].any(), "nothing runs into the margins"


@settings(max_examples=25, deadline=None)
@given(
    x=st.floats(-100, 400),
    y=st.floats(-100, 300),
    w=st.floats(1, 600),
    h=st.floats(1, 400),
    frame=st.integers(0, 89),
    kind=st.sampled_from([QueryKind.DETECTION, QueryKind.LOCALIZATION]),
)
def test_every_box_on_every_frame_has_a_card(
    x: float, y: float, w: float, h: float, frame: int, kind: QueryKind
) -> None:
    query = Query(kind, 0, tracklet(0, frame, (x, y, x + w, y + h)))
    assert compose_card(query, FRAMES, CardContext()).image.shape == (720, 1280, 3)


@pytest.mark.parametrize("options", range(1, 8))
def test_every_option_shows_its_own_letter_and_colour(options: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from cvat_bridge.cards import association as module
    from cvat_bridge.cards import drawing, parts

    drawn: list[tuple[str, theme.Colour]] = []
    original = drawing.draw_chip

    def noted(image, text, at, *, fill, **style):  # type: ignore[no-untyped-def]
        drawn.append((text, fill))
        return original(image, text, at, fill=fill, **style)

    for place in (module, parts, drawing):
        monkeypatch.setattr(place, "draw_chip", noted)
    compose_card(association(options), FRAMES, CardContext())
    lettered = [chip for chip in drawn if chip[0] in OPTION_LETTERS]
    expected = list(zip(OPTION_LETTERS[:options], theme.OPTION_COLOURS[:options], strict=True))
    assert sorted(lettered) == sorted(2 * expected), "once on its crop, once in the whole frame, in one colour"
    keys = [text for text, _ in drawn if text.isdigit()]
    assert keys == [str(key + 1) for key in range(options + 2)]


def test_the_colours_of_options_and_subject_are_all_different() -> None:
    assert len({theme.SUBJECT, *theme.OPTION_COLOURS}) == 1 + len(OPTION_LETTERS)


@pytest.mark.parametrize(
    "query", [CASES["rectangle"], place(before=(9.0, 9.0, 39.0, 89.0), after=(220.0, 60.0, 250.0, 140.0))]
)
def test_the_rectangle_of_a_localization_is_not_drawn(query: Query) -> None:
    card = compose_card(query, FRAMES, CardContext())
    assert card.rectangle is not None
    x1, y1, x2, y2 = (round(edge) for edge in card.rectangle)
    picture = card.image[y1 - 8 : y2 + 8, x1 - 8 : x2 + 8].astype(int)
    assert np.abs(np.diff(picture, axis=0)).max() <= 2, "a smooth ramp, no line in it"
    assert np.abs(np.diff(picture, axis=1)).max() <= 2


@settings(max_examples=40, deadline=None)
@given(x=st.floats(0, 300), y=st.floats(0, 220), w=st.floats(2, 200), h=st.floats(2, 200))
def test_a_rectangle_left_untouched_is_the_proposed_box(x: float, y: float, w: float, h: float) -> None:
    box = (x, y, x + w, y + h)
    card = compose_card(Query(QueryKind.LOCALIZATION, 0, tracklet(0, 7, box)), FRAMES, CardContext())
    assert card.rectangle is not None
    assert card.to_frame is not None
    assert card.to_frame.box(card.rectangle) == pytest.approx(box, abs=1e-6)
    assert card.rectangle[0] > CONTENT.x
    assert card.rectangle[1] > CONTENT.y
    assert card.rectangle[2] < CONTENT.x + CONTENT.w
    assert card.rectangle[3] < CONTENT.y + CONTENT.h


def test_the_map_back_to_the_frame_agrees_with_the_pixels_of_the_card() -> None:
    card = compose_card(CASES["rectangle"], FRAMES, CardContext())
    assert card.rectangle is not None
    assert card.to_frame is not None
    for x, y in [(500.0, 300.0), (640.0, 400.0), (760.0, 500.0)]:
        frame_x, frame_y, *_ = card.to_frame.box((x + 0.5, y + 0.5, x + 1, y + 1))
        blue, green, red = card.image[int(y), int(x)].astype(int)
        assert blue == pytest.approx(frame_x * 255 / INFO.width, abs=2)
        assert green == pytest.approx(frame_y * 255 / INFO.height, abs=2)
        assert red == 3 * 40 % 256


def test_other_objects_are_shown_but_never_what_the_model_thinks_of_this_one() -> None:
    query = CASES["one box"]
    plain = compose_card(query, FRAMES, CardContext()).image
    own = labels_of(INFO, [tracklet(0, 30, (20.0, 60.0, 50.0, 140.0), 30)])
    other = labels_of(INFO, [tracklet(500, 30, (20.0, 60.0, 50.0, 140.0), 30)])
    assert (compose_card(query, FRAMES, CardContext(own)).image == plain).all()
    assert (compose_card(query, FRAMES, CardContext(other)).image != plain).any()


def test_a_card_names_the_class_of_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    from cvat_bridge.cards import parts

    questions: list[str] = []
    monkeypatch.setattr(parts, "draw_question", lambda card, question: questions.append(question))
    cars = PaintedFrames(ClipInfo("road", 90, 30.0, 320, 240, ("car",)))
    expected = {
        "one box": "Does the marked box show one car?",
        "long tracklet": "Is this one car, in all pictures?",
        "run of one box": "Does the marked box show one car?",
        "run of many boxes": "Does every orange box show one car?",
        "one option": "Is A the same car, 0.30 s later?",
        "three options": "Which one is the same car, 0.30 s later?",
        "gap": "Which one is the same car, 0.30 s later?",
        "meeting, one option": "Is A the same car after the meeting?",
        "meeting": "Which one is the same car after the meeting?",
        "next, seven options": "Where does this car appear next?",
        "rectangle": "Drag the rectangle until it fits the car",
        "place": "Where is this car here?",
    }
    for name in expected:
        compose_card(CASES[name], cars, CardContext())
    assert questions == list(expected.values())


Drawn = list[tuple[int, Box, theme.Colour | None]]  # frame, box and colour of each crop


@pytest.fixture
def crops(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    from cvat_bridge.cards import parts

    drawn: Drawn = []
    original = parts.draw_crop

    def noted(card, place, frames, frame, box, margin, colour, thickness=2):  # type: ignore[no-untyped-def]
        drawn.append((frame, box, colour))
        original(card, place, frames, frame, box, margin, colour, thickness)

    monkeypatch.setattr(parts, "draw_crop", noted)
    return drawn


def test_a_run_is_shown_between_what_its_track_is_before_and_after(crops: Drawn) -> None:
    track = tracklet(0, 10, PERSON, 60, step=1.0)
    run = track[20:23]
    query = Query(QueryKind.DETECTION, 0, run, topic=Topic.RUN)
    compose_card(query, FRAMES, CardContext(labels_of(INFO, [track])))
    asked = [frame for frame, _, colour in crops if colour == theme.SUBJECT]
    beside = [frame for frame, _, colour in crops if colour == theme.OTHERS]
    assert asked == [anchor.frame for anchor in run] == [30, 31, 32]
    assert beside == [10, 24, 38, 56], "0.8 s and 0.2 s before, 0.2 s and 0.8 s after; the track begins at frame 10"


@pytest.mark.parametrize(("first", "last"), [(10, 29), (30, 69), (10, 69)])
def test_a_run_at_an_end_of_its_track_has_neighbours_at_one_side(first: int, last: int, crops: Drawn) -> None:
    track = tracklet(0, 10, PERSON, 60, step=1.0)
    query = Query(QueryKind.DETECTION, 0, track[first - 10 : last - 9], topic=Topic.RUN)
    compose_card(query, FRAMES, CardContext(labels_of(INFO, [track])))
    beside = [frame for frame, _, colour in crops if colour == theme.OTHERS]
    assert all(frame < first or frame > last for frame in beside)
    assert len(beside) == (first > 10) + (last < 69)


def test_a_doubtful_box_of_a_track_is_shown_beside_the_track_and_any_other_beside_its_place(crops: Drawn) -> None:
    track = tracklet(0, 10, PERSON, 60, step=1.0)
    query = Query(QueryKind.DETECTION, 0, track[20:21], topic=Topic.RUN)
    labels = labels_of(INFO, [track])
    compose_card(query, FRAMES, CardContext(labels))
    boxes = {anchor.frame: anchor.box for anchor in track}
    assert [(frame, box) for frame, box, _ in crops[1:]] == [(f, boxes[f]) for f in (12, 18, 24, 30, 36, 42, 48)]
    crops.clear()
    compose_card(replace(query, topic=Topic.MISSED), FRAMES, CardContext(labels))
    assert [(frame, box) for frame, box, _ in crops[1:]] == [(f, boxes[30]) for f in (12, 18, 24, 30, 36, 42, 48)]


def test_a_place_card_shows_whom_to_look_for_before_and_after_the_gap(crops: Drawn) -> None:
    before, after = tracklet(0, 0, PERSON, 31, step=1.0), tracklet(100, 50, PERSON, 40, step=1.0)
    query = place()
    query = replace(query, between=(before[-1], after[0]))
    compose_card(query, FRAMES, CardContext(labels_of(INFO, [before + after])))
    assert [frame for frame, _, _ in crops] == [12, 30, 50, 68]
    crops.clear()
    compose_card(query, FRAMES, CardContext())
    assert [frame for frame, _, _ in crops] == [30, 50], "without labels at least the ends of the gap"


@pytest.mark.parametrize("topic", [Topic.CROSSING, Topic.GAP, Topic.NEXT])
def test_the_large_picture_of_an_option_is_the_box_that_the_answer_speaks_of(topic: Topic, crops: Drawn) -> None:
    query = association(3, spread=9, topic=topic)
    compose_card(query, FRAMES, CardContext())
    _, facing = query.facing
    for anchor, colour in zip(facing, theme.OPTION_COLOURS, strict=False):
        own = [frame for frame, _, drawn_in in crops if drawn_in == colour]
        assert own[0] == anchor.frame
