"""The report as one HTML file that opens anywhere, offline."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cvat_bridge.reporting.charts import TIMELINE_ROWS, effort_curve, shade_colours, track_timeline
from cvat_bridge.reporting.data import AskedQuestion, ReportData, RoundSummary
from cvat_bridge.reporting.pictures import card_uris, contact_sheet, data_uri, overlay_clip
from spam_model.data.clip import FrameSource
from spam_model.storage import write_atomically


def write_report(data: ReportData, frames: FrameSource, path: Path) -> Path:
    """Writes the page at ``path``, whole or not at all, and returns ``path``; it stays below 8 MB.

    Raises:
        VideoError: a frame of the contact sheet cannot be decoded.
        InputError: ``path`` cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("cvat_bridge.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    clip = overlay_clip(frames, data.labels)
    page = environment.get_template("report.html.j2").render(
        data=data,
        score=_score_text,
        info=data.labels.info,
        track_count=len(data.labels.track_ids),
        timeline_rows=TIMELINE_ROWS,
        curve=Markup(effort_curve(data.hota)) if data.hota else None,
        timeline=Markup(track_timeline(data.labels)),
        shades=shade_colours(),
        sheet=contact_sheet(frames, data.labels),
        clip=data_uri(clip) if clip else None,
        rounds_asked=_by_round(data.questions),
    )
    write_atomically(path, page.encode())
    return path


def _score_text(item: RoundSummary, name: str) -> str:
    value = (item.scores or {}).get(name)
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.1f}"


def _by_round(questions: tuple[AskedQuestion, ...]) -> list[tuple[int, list[tuple[AskedQuestion, str | None]]]]:
    """Questions with the addresses of their cards, round by round."""
    shown = zip(questions, card_uris([question.card for question in questions]), strict=True)
    ordered = sorted(shown, key=lambda item: item[0].round)
    return [(number, list(group)) for number, group in groupby(ordered, key=lambda item: item[0].round)]
