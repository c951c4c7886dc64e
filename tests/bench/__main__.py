"""``make bench``: ratios against named references, ours and theirs measured in one run on one machine.

    python -m tests.bench [--json] [--only STAGE,STAGE] [--long] [--frames 150] [--people 15] [--device auto]

Times on a busy machine move; ratios move less. Nothing in here is asserted by a test, but references that are to give
the same result are checked to give it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from spam_model.command_line import format_table, print_json
from spam_model.labeler import Labeler
from spam_model.simulation import SimulationConfig, simulate
from tests.bench import graph, measures, relabel, scale
from tests.bench.ratio import Ratio


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--only", help="comma-separated stages (default: all)")
    parser.add_argument("--long", action="store_true", help="videos of up to 16 000 frames; takes many minutes")
    parser.add_argument("--frames", type=int, default=150, help="of the small simulated clip (default: %(default)s)")
    parser.add_argument("--people", type=float, default=15, help="in it at a time (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    args = parser.parse_args()

    labeler = Labeler.load(device=args.device)
    clip = simulate(SimulationConfig(frame_count=args.frames, people=args.people), seed=0)
    lengths = (*scale.LENGTHS, scale.LONG) if args.long else scale.LENGTHS
    stages: dict[str, Callable[[], list[Ratio]]] = {
        "tracker": lambda: measures.labelling(labeler, clip),
        "throughput": lambda: scale.throughput(labeler),
        "growth": lambda: scale.growth(labeler, lengths),
        "memory": lambda: scale.memory(lengths[-1], args.device),
        "relabel": lambda: relabel.after_answers(labeler),
        "plain": graph.against_plain,
        "all-pairs": graph.against_all_pairs,
        "pyg": graph.against_pyg,
        "thinning": lambda: measures.thinning(labeler.label(clip.candidates).labels),
        "geometry": measures.geometry,
        "storage": lambda: measures.storage(clip),
    }
    chosen = args.only.split(",") if args.only else list(stages)
    unknown = [name for name in chosen if name not in stages]
    if unknown:
        parser.error(f"no stage is called {unknown[0]!r}; there are: {', '.join(stages)}")
    started = time.perf_counter()
    ratios = [ratio for name in tqdm(chosen, desc="bench", unit="stage") for ratio in stages[name]()]
    spent = time.perf_counter() - started
    world = {
        "frames": args.frames,
        "candidates": len(clip.candidates),
        "device": args.device,
        "seconds": round(spent, 1),
    }
    if args.json:
        print_json({**world, "ratios": [{**vars(ratio), "ratio": ratio.ratio} for ratio in ratios]})
        return 0
    print(f"{args.frames} simulated frames, {len(clip.candidates)} candidates; {spent:.0f} s", file=sys.stderr)
    rows = [(r.what, r.reference, r.unit, f"{r.ours:.4g}", f"{r.theirs:.4g}", f"× {r.ratio:.3g}") for r in ratios]
    print(format_table(("what", "reference", "unit", "ours", "theirs", "ours / theirs"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
