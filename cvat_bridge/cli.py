"""The ``cvat-bridge`` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cvat_bridge.commands import demo, doctor, export, init, plan, report, status, sync, undo, watch
from spam_model import __version__
from spam_model.command_line import build_parser, run

DESCRIPTION = """Label video tracks in CVAT with a fraction of the clicks.

typical order:
  cvat-bridge demo                  see it work, on this machine, with nothing else installed
  cvat-bridge doctor TASK           check server, account, labels, model and disk
  cvat-bridge init TASK             prepare a task's labels, once
  cvat-bridge plan TASK             see what a sync would add, remove and ask
  cvat-bridge sync TASK             label, push, open review jobs
  cvat-bridge sync TASK             again, when reviewers are through; until it says done
  cvat-bridge watch TASK            or let it sync by itself whenever reviewers have finished a job
  cvat-bridge report TASK           one page with tracks, questions, answers and effort
  cvat-bridge export TASK -o DIR --format mot
  cvat-bridge undo TASK             take back what was pushed; people's work stays"""


COMMANDS = (demo, doctor, init, plan, sync, watch, status, report, export, undo)


def main(argv: Sequence[str] | None = None) -> int:
    return run(build_parser("cvat-bridge", DESCRIPTION, COMMANDS, __version__), argv)


if __name__ == "__main__":
    sys.exit(main())
