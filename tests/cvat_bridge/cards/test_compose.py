from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvat_bridge.cards import CardContext, compose_card, theme
from cvat_bridge.cards.parts import CONTENT
from spam_model.values import OPTION_LETTERS, Box, ClipInfo, Query, QueryKind
from tests.cvat_bridge.cards.painted import PaintedFrames, labels_of, tracklet

INFO = ClipInfo("street", 90, 30.0, 320, 240, ("person",))
FRAMES = PaintedFrames(INFO)
PERSON = (100.0, 60.0, 130.0, 140.0)


def association(options: int, spread: int = 0) -> Query:
    subject = tracklet(0, 10, PERSON, 12)
    rivals = tuple(
        tracklet(100 * (k + 1), 30 + spread * k, (20.0 + 40 * k, 60.0, 50.0 + 40 * k, 140.0), 10)
        for k in range(options)
    )
    return Query(QueryKind.ASSOCIATION, 3, subject, rivals)


def detection(box: Box, frame: int = 0, count: int = 1) -> Query:
    return Query(QueryKind.DETECTION, 0, tracklet(0, frame, box, count))


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


def test_the_rectangle_of_a_localization_is_not_drawn() -> None:
    query = CASES["rectangle"]
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
    for name in ("one box", "long tracklet", "one option", "three options", "rectangle"):
        compose_card(CASES[name], cars, CardContext())
    assert questions == [
        "Does the marked box show one car?",
        "Is this one car, in all pictures?",
        "Is A the same car, 0.30 s later?",
        "Which one is the same car, 0.30 s later?",
        "Drag the rectangle until it fits the car",
    ]
