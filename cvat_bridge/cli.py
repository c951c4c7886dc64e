"""The ``cvat-bridge`` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cvat_bridge.commands import demo, init, report, status, sync
from spam_model import __version__
from spam_model.command_line import build_parser, run

DESCRIPTION = """Label video tracks in CVAT with a fraction of the clicks.

typical order:
  cvat-bridge demo                  see it work, on this machine, with nothing else installed
  cvat-bridge init TASK             prepare a task's labels, once
  cvat-bridge sync TASK --dry-run   see what would be pushed
  cvat-bridge sync TASK             label, push, open review jobs
  cvat-bridge sync TASK             again, when reviewers are through; until it says done
  cvat-bridge report TASK           one page with tracks, questions, answers and effort"""


def main(argv: Sequence[str] | None = None) -> int:
    return run(build_parser("cvat-bridge", DESCRIPTION, (demo, init, sync, status, report), __version__), argv)


if __name__ == "__main__":
    sys.exit(main())
