from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Tree

import numpy as np
import pytest

from cvat_bridge.reporting import AskedQuestion, ReportData, RoundSummary, pictures, write_report
from spam_model.errors import InputError
from spam_model.values import ClipInfo, Query, QueryKind
from tests.cvat_bridge.cards.painted import PaintedFrames, labels_of, tracklet

INFO = ClipInfo("street", 40, 20.0, 160, 120)
FRAMES = PaintedFrames(INFO)
TRACKS = [tracklet(0, 0, (10.0, 10.0, 30.0, 60.0), 30, step=2.0), tracklet(100, 5, (90.0, 20.0, 110.0, 70.0), 20)]
CARD = np.full((720, 1280, 3), 60, np.uint8)
QUERY = Query(QueryKind.DETECTION, 0, TRACKS[0][:1])
NASTY = "<script>alert('&\"')</script>"


def report_data(**changes: object) -> ReportData:
    data = ReportData(
        title="Street",
        device="cpu",
        model="spam-21k",
        detector="yolox_nano",
        labels=labels_of(INFO, TRACKS),
        rounds=(
            RoundSummary(0, 0, 0.0, {"HOTA": 57.25, "IDSW": 9}, 1.5),
            RoundSummary(1, 12, 0.033, {"HOTA": 71.0, "IDSW": 2}, 0.5),
        ),
        questions=(AskedQuestion(1, QUERY, "yes", CARD), AskedQuestion(2, QUERY, "", CARD)),
        stage_seconds={"detect": 3.25},
    )
    return replace(data, **changes)  # type: ignore[arg-type]


def page_of(data: ReportData, tmp_path: Path) -> tuple[str, Tree.Element]:
    """The page's text and its tree; a page that is not well-formed fails here."""
    path = write_report(data, FRAMES, tmp_path / "report.html")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>\n")
    return text, Tree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def words_of(tree: Tree.Element) -> str:
    body = tree.find("body")
    assert body is not None
    return " ".join(" ".join(body.itertext()).split())


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    text, tree = page_of(report_data(), tmp_path)
    assert "http" not in text
    assert "url(" not in text
    assert "@import" not in text
    addresses = [node.attrib[name] for node in tree.iter() for name in ("src", "href") if name in node.attrib]
    assert len(addresses) == pictures.SHEET_FRAMES + 1 + 2, "contact sheet, clip, two cards"
    assert all(address.startswith("data:image/webp;base64,") for address in addresses)
    assert not [node for node in tree.iter() if node.tag in ("script", "link", "iframe")]


def test_every_picture_has_words_for_those_who_cannot_see_it(tmp_path: Path) -> None:
    _, tree = page_of(report_data(), tmp_path)
    assert all(len(node.attrib["alt"]) > 10 for node in tree.iter("img"))
    assert all(len(node.attrib["aria-label"]) > 10 for node in tree.iter("svg"))


def test_the_header_tells_the_story_in_one_line(tmp_path: Path) -> None:
    _, tree = page_of(report_data(), tmp_path)
    assert "2 tracks, 12 clicks = 3.3% of manual effort, HOTA 57.2 → 71.0" in words_of(tree)


@pytest.mark.parametrize(
    ("changes", "story"),
    [
        ({"rounds": ()}, "2 tracks"),
        ({"rounds": (RoundSummary(0, 1, 0.01, None, 1.0),)}, "2 tracks, 1 click = 1.0% of manual effort"),
        (
            {"rounds": (RoundSummary(0, 0, 0.0, {"hota": 60.0}, 1.0),), "labels": labels_of(INFO, TRACKS[:1])},
            "1 track, 0 clicks = 0.0% of manual effort, HOTA 60.0",
        ),
    ],
)
def test_the_story_says_no_more_than_is_known(changes: dict[str, object], story: str) -> None:
    assert report_data(**changes).story == story


def test_a_simulated_detector_is_named_in_plain_sight(tmp_path: Path) -> None:
    assert "imulated detector" not in words_of(page_of(report_data(), tmp_path)[1])
    _, tree = page_of(report_data(detector_simulated=True), tmp_path)
    header = tree.find("body/main/header")
    assert header is not None
    assert "Simulated detector" in " ".join(header.itertext())


def test_the_table_holds_every_round_and_score(tmp_path: Path) -> None:
    _, tree = page_of(report_data(), tmp_path)
    assert [cell.text for cell in tree.iter("th")] == ["round", "clicks", "effort", "HOTA", "IDSW", "seconds"]
    rows = [[cell.text for cell in row.iter("td")] for row in tree.iter("tr")][1:]
    assert rows == [["0", "0", "0.0 %", "57.2", "9", "1.5"], ["1", "12", "3.3 %", "71.0", "2", "0.5"]]


def test_without_ground_truth_there_are_no_scores_and_no_curve(tmp_path: Path) -> None:
    rounds = tuple(replace(item, scores=None) for item in report_data().rounds)
    _, tree = page_of(report_data(rounds=rounds), tmp_path)
    assert [cell.text for cell in tree.iter("th")] == ["round", "clicks", "effort", "seconds"]
    assert not list(tree.iter("polyline"))
    assert "no ground truth" in words_of(tree)
    assert "HOTA" not in words_of(tree)


def test_a_report_of_nothing_says_so(tmp_path: Path) -> None:
    data = report_data(rounds=(), questions=(), labels=labels_of(INFO, []), stage_seconds={})
    _, tree = page_of(data, tmp_path)
    words = words_of(tree)
    assert "No track was found." in words
    assert "Nobody was asked anything." in words
    assert not list(tree.iter("table"))


def test_names_from_outside_stay_text(tmp_path: Path) -> None:
    info = replace(INFO, name=NASTY)
    data = report_data(
        title=NASTY,
        device=NASTY,
        model=NASTY,
        detector=NASTY,
        labels=labels_of(info, TRACKS),
        rounds=(RoundSummary(0, 0, 0.0, {NASTY: 1.0}, 0.0),),
        questions=(AskedQuestion(1, QUERY, NASTY, CARD),),
        stage_seconds={NASTY: 1.0},
    )
    text, tree = page_of(data, tmp_path)
    assert "<script" not in text
    assert words_of(tree).count(NASTY) == 8, "title, clip, device, model, detector, score, answer, stage"


def test_questions_stand_in_rounds_with_their_answers(tmp_path: Path) -> None:
    _, tree = page_of(report_data(), tmp_path)
    assert [node.text for node in tree.iter("h3")] == ["Round 1, 1 question", "Round 2, 1 question"]
    captions = ["".join(node.itertext()) for node in tree.iter("figcaption")]
    assert captions[-2:] == ["detection: yes", "detection: not answered"]


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("the old one")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write_report(report_data(), FRAMES, path)
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_the_budgets_of_all_pictures_leave_room_below_8_megabytes() -> None:
    encoded = (pictures.SHEET_BYTES + pictures.CLIP_BYTES + pictures.CARD_BYTES) * 4 / 3
    assert encoded < 7_000_000


def test_a_crowd_with_many_questions_still_makes_a_small_page(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (360, 640, 3), dtype=np.uint8)
    tracks = [tracklet(1000 * k, k % 20, (k % 100, 10.0, k % 100 + 20.0, 60.0), 20) for k in range(180)]
    crowd = labels_of(INFO, tracks)
    crowd = replace(crowd, uncertainty=np.random.default_rng(1).uniform(0, 0.69, len(crowd)))
    data = report_data(labels=crowd, questions=(AskedQuestion(1, QUERY, "yes", noise),) * 60)
    text, tree = page_of(data, tmp_path)
    assert len(text) < 8_000_000
    assert "The 150 longest of 180 tracks." in words_of(tree)
    shown = len([node for node in tree.iter("img") if node.attrib["alt"].startswith("Card")])
    left_out = len(re.findall("card is left out", text))
    assert (shown > 0, shown + left_out) == (True, 60)
