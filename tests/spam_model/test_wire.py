"""What is sent is what arrives; what is no request of ours is refused with a reason."""

import dataclasses
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model import storage, wire
from spam_model.errors import FormatError, VideoError
from spam_model.values import (
    Anchor,
    Candidates,
    ClipInfo,
    Constraint,
    ConstraintKind,
    Constraints,
    Hierarchy,
    LabelResult,
    Labels,
    Level,
)

INFO = ClipInfo("clip", frame_count=100, frame_rate=25.0, width=32, height=24)
REJECT = Constraint(ConstraintKind.REJECT, Anchor(3, 1, (1.0, 2.0, 3.0, 4.0), 0))
CANDIDATE_ARRAYS = ("frame", "box", "score", "class_id", "embedding", "source", "id")


def some_candidates(count: int = 5) -> Candidates:
    generator = np.random.default_rng(count)
    corner = generator.uniform(0, 20, (count, 2))
    box = np.hstack([corner, corner + generator.uniform(1, 9, (count, 2))])
    embedding = generator.normal(size=(count, 8)).astype(np.float32)
    return Candidates.build(
        INFO, generator.integers(0, 100, count), box, generator.uniform(0, 1, count), embedding=embedding
    )


def png(width: int = 32, height: int = 24) -> bytes:
    image = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def assert_equal(a: object, b: object, names: tuple[str, ...]) -> None:
    for name in names:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name, strict=True)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 99), st.binary(max_size=50)), min_size=1, max_size=8), st.floats(0, 1))
def test_a_candidates_request_arrives_as_sent(frames: list[tuple[int, bytes]], min_score: float) -> None:
    numbers, images = zip(*frames, strict=True)
    sent = wire.CandidatesRequest(INFO, numbers, images, "yolox", min_score)
    assert wire.request_from_bytes(wire.request_to_bytes(sent)) == sent


def test_a_label_request_arrives_as_sent() -> None:
    sent = wire.LabelRequest(some_candidates(), Constraints((REJECT,)))
    got = wire.request_from_bytes(wire.request_to_bytes(sent))
    assert isinstance(got, wire.LabelRequest)
    assert got.constraints == sent.constraints
    assert got.candidates.info == INFO
    assert_equal(got.candidates, sent.candidates, CANDIDATE_ARRAYS)


def test_candidates_come_back_to_the_bit() -> None:
    sent = some_candidates()
    got = wire.candidates_reply_from_bytes(wire.candidates_reply_to_bytes(sent))
    assert_equal(got, sent, CANDIDATE_ARRAYS)


def test_labels_come_back_to_the_bit() -> None:
    candidates = some_candidates(2)
    level = Level(1, 2, np.array([0, 1]), np.array([[0], [1]]), np.array([0.7]), np.array([True]))
    hierarchy = Hierarchy(np.array([0.9, 0.8]), np.array([True, True]), (level,), np.array([0, 0]))
    labels = Labels(
        info=INFO,
        track=np.array([0, 0]),
        frame=candidates.frame,
        box=candidates.box,
        class_id=candidates.class_id,
        score=candidates.score,
        candidate_id=candidates.id,
        occluded=np.array([False, True]),
        uncertainty=np.array([0.1, 0.2]),
    )
    sent = LabelResult(candidates, hierarchy, labels, ("contradiction: A and B",), (REJECT,))
    got = wire.label_reply_from_bytes(wire.label_reply_to_bytes(sent))
    assert_equal(got.candidates, candidates, CANDIDATE_ARRAYS)
    assert_equal(got.hierarchy, hierarchy, ("node_probability", "kept", "track_of"))
    assert_equal(got.hierarchy.levels[0], level, ("node_of", "edge", "probability", "chosen"))
    assert_equal(got.labels, labels, tuple(field.name for field in dataclasses.fields(Labels) if field.name != "info"))
    assert (got.conflicts, got.unmatched) == (sent.conflicts, sent.unmatched)


def test_a_description_is_json_and_comes_back() -> None:
    description = wire.Description("cpu", "0123456789ab", "yolox")
    assert wire.description_from_bytes(wire.description_to_bytes(description)) == description
    assert b'"device":"cpu"' in wire.description_to_bytes(description)


def test_the_digest_names_the_content_and_the_options() -> None:
    def request(**changes: object) -> wire.CandidatesRequest:
        given = {"info": INFO, "frames": (1, 2), "images": (b"a", b"b"), "detector": "", "min_score": 0.1}
        return wire.CandidatesRequest(**{**given, **changes})  # type: ignore[arg-type]

    others = [
        request(frames=(1, 3)),
        request(images=(b"a", b"c")),
        request(images=(b"ab", b"")),
        request(detector="other"),
        request(min_score=0.2),
        request(info=dataclasses.replace(INFO, name="other")),
        wire.LabelRequest(some_candidates(), Constraints()),
        wire.LabelRequest(some_candidates(), Constraints((REJECT,))),
        wire.LabelRequest(some_candidates(6), Constraints()),
    ]
    digests = [wire.digest(one) for one in (request(), *others)]
    assert len(set(digests)) == len(digests)
    assert wire.digest(request()) == digests[0]
    assert wire.digest(wire.LabelRequest(some_candidates(), Constraints())) == digests[7]


def label_request_with(**parts: bytes) -> bytes:
    given = {
        "candidates": zlib.compress(storage.candidates_to_bytes(some_candidates())),
        "constraints": zlib.compress(storage.constraints_to_bytes(Constraints())),
    }
    arrays = {name: np.frombuffer(part, np.uint8) for name, part in {**given, **parts}.items()}
    return storage.pack("request", arrays, {"operation": "label"})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "unreadable", id="nothing"),
        pytest.param(b'{"image": "..."}' * 100, "unreadable", id="JSON as CVAT would send"),
        pytest.param(storage.pack("candidates", {}, {}), "expected a request", id="a file of another kind"),
        pytest.param(
            storage.pack("request", {}, {"operation": "train"}), "no operation 'train'", id="unknown operation"
        ),
        pytest.param(storage.pack("request", {}, {"operation": "candidates"}), "lacks frame", id="no frame numbers"),
        pytest.param(
            storage.pack("request", {"frame": np.arange(65)}, {"operation": "candidates"}), "at most 64", id="too many"
        ),
        pytest.param(
            storage.pack("request", {"frame": np.arange(2)}, {"operation": "candidates", "info": "{}"}),
            "info",
            id="no clip",
        ),
        pytest.param(label_request_with(candidates=b"no zlib"), "candidates cannot be inflated", id="not deflated"),
        pytest.param(
            label_request_with(constraints=zlib.compress(b"x" * 99)[:-3]), "constraints is cut off", id="cut off"
        ),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        wire.request_from_bytes(data)


def test_a_request_of_a_later_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(storage, "VERSION", storage.VERSION + 1)
        data = wire.request_to_bytes(wire.CandidatesRequest(INFO, (0,), (b"a",)))
    with pytest.raises(
        FormatError, match=f"version {storage.VERSION + 1}, this release reads version {storage.VERSION}"
    ):
        wire.request_from_bytes(data)


def test_a_part_that_inflates_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_INFLATED", 1000)
    with pytest.raises(FormatError, match="larger than 1000 bytes"):
        wire.request_from_bytes(label_request_with(candidates=zlib.compress(bytes(10**6))))


def test_an_image_is_decoded_as_bgr() -> None:
    image = np.zeros((24, 32, 3), np.uint8)
    image[:, :, 0] = 255  # blue
    decoded = wire.decode_image(cv2.imencode(".png", image)[1].tobytes(), 0, INFO)
    np.testing.assert_array_equal(decoded, image)


def huge_png() -> bytes:
    """A header that claims 10 000 × 10 000 px, sound but for the pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "no image", id="empty"),
        pytest.param(b"<html>502 Bad Gateway</html>", "no image", id="a proxy's page"),
        pytest.param(png()[:500], "damaged image", id="cut off"),
        pytest.param(png(16, 24), "16×24 px, the clip is 32×24", id="another size"),
        pytest.param(huge_png(), "more than 64000000 pixels", id="too large to decode"),
    ],
)
def test_an_image_that_cannot_be_used_names_its_frame(data: bytes, reason: str) -> None:
    with pytest.raises(VideoError, match=f"frame 17 of 'clip'.*{reason}"):
        wire.decode_image(data, 17, INFO)
