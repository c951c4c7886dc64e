"""Reports: what was labelled, what was asked, and what it cost, on one page."""

from cvat_bridge.reporting.data import AskedQuestion, ReportData, RoundSummary
from cvat_bridge.reporting.overlay import overlay_frame, track_colour
from cvat_bridge.reporting.page import write_report
from cvat_bridge.reporting.pictures import overlay_clip

__all__ = [
    "AskedQuestion",
    "ReportData",
    "RoundSummary",
    "overlay_clip",
    "overlay_frame",
    "track_colour",
    "write_report",
]
