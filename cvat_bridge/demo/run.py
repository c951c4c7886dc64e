"""The demo: make a task, sync, let reviewers answer, sync again, until the budget is spent; then write a report."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cvat_sdk.core.client import Client

from cvat_bridge.assembly import open_journal, sync_task
from cvat_bridge.backend.select import is_precomputed
from cvat_bridge.demo.reviewer import SimulatedReviewer
from cvat_bridge.demo.world import REVIEWERS, DemoClip, DemoServer, demo_clip, embedded_server, make_task, named_server
from cvat_bridge.embedded.nuclio.launch import FunctionHost
from cvat_bridge.frames import TaskFrames
from cvat_bridge.journal import CANDIDATES_FILE, state_folder
from cvat_bridge.progress import Progress
from cvat_bridge.readback import labels_in_cvat
from cvat_bridge.report_task import report_task
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import SyncOptions, SyncReport
from spam_model.active.oracle import Oracle
from spam_model.data.clip import Clip
from spam_model.data.motchallenge import read_ground_truth
from spam_model.detectors.registry import create_source
from spam_model.evaluation.scores import evaluate
from spam_model.storage import read_candidates
from spam_model.values import ClipInfo, GroundTruth

ENGINE = "spam-engine"
NO_DETECTOR = "none"
ENGINE_FOLDER = Path(__file__).parents[2] / "serverless" / "pytorch" / "spam" / "engine" / "nuclio"
SHOWN_SCORES = ("HOTA", "AssA", "DetA", "MOTA", "IDF1")


@dataclass(frozen=True)
class DemoRound:
    """One line of the demo's table; ``scores`` are of what stands in CVAT."""

    sync: SyncReport
    scores: Mapping[str, float] | None
    seconds: float


@dataclass(frozen=True)
class DemoResult:
    task_id: int
    rounds: tuple[DemoRound, ...]
    detector: str
    backend: str
    report: Path
    state: Path
    stages: Mapping[str, float] = field(default_factory=dict)


class Demo:
    """Runs against the servers of ``world``; tells its story through ``say``."""

    def __init__(self, args: argparse.Namespace, say: Callable[[str], None]) -> None:
        self._args = args
        self._say = say
        self._out: Path = args.out
        self._state: Path = args.out / "state"
        self._progress = Progress(quiet=args.json)
        self._spent: dict[str, float] = {}

    def run(self) -> DemoResult:
        args = self._args
        with ExitStack() as stack:
            started = time.perf_counter()
            clip = demo_clip(args.video, args.sequence, self._out, args.frames)
            info = Clip.open(clip.folder or clip.media[0]).info
            self._spent["clip"] = time.perf_counter() - started
            self._say(f"clip      {clip.name}: {info.frame_count} frames, {info.width}×{info.height} px")

            started = time.perf_counter()
            own_server = args.server_host or args.profile
            server = stack.enter_context(named_server(args) if own_server else embedded_server(self._out / "server"))
            self._say(
                f"CVAT      {server.client.api_client.configuration.host}" + ("" if own_server else " (embedded)")
            )
            detector = args.detector
            backend = self._function_host(stack, detector) if args.backend == "remote" else args.backend
            self._spent["servers"] = time.perf_counter() - started
            self._say(f"model     {backend}" + (" (embedded function host)" if args.backend == "remote" else ""))
            self._say(
                f"detector  {detector}" + (": ground truth made worse, for a demo" if detector == "simulated" else "")
            )

            started = time.perf_counter()
            task_id = make_task(server.client, clip, ("person",))
            self._spent["task"] = time.perf_counter() - started
            self._say(f"task      {task_id}, in a project of its own")
            result = self._rounds(server, clip, task_id, info, detector, backend)
            if args.serve:
                self._serve(server, task_id)
            return result

    def _function_host(self, stack: ExitStack, detector: str) -> str:
        """Starts the host with the very function folder that is deployed to Nuclio; returns the function's address."""
        environment = {"SPAM_DETECTOR": NO_DETECTOR if is_precomputed(detector) else detector}
        host = stack.enter_context(FunctionHost([ENGINE_FOLDER], self._out / "functions", environment=environment))
        return host.function_url(ENGINE)

    def _rounds(
        self, server: DemoServer, clip: DemoClip, task_id: int, info: ClipInfo, detector: str, backend: str
    ) -> DemoResult:
        said = {"backend": backend, "detector": detector, "frame_rate": info.frame_rate}
        source = create_source(detector, folder=clip.folder, seed=self._args.seed) if is_precomputed(detector) else None
        truth = read_ground_truth(clip.folder / "gt" / "gt.txt", info) if clip.folder and clip.has_truth else None
        options = SyncOptions(
            budget=self._args.budget, rounds=self._args.rounds, reviewers=REVIEWERS if server.reviewers else ()
        )
        rounds: list[DemoRound] = []
        while True:
            self._say(f"\n$ cvat-bridge sync {task_id}" + (f" --budget {self._args.budget}" if not rounds else ""))
            started = time.perf_counter()
            report = sync_task(server.client, task_id, self._state, said, options, self._progress, source)
            seconds = time.perf_counter() - started
            rounds.append(DemoRound(report, self._scores(server.client, task_id, info, truth), seconds))
            self._tell(rounds[-1])
            if report.phase == "done" or truth is None or not server.reviewers:
                break
            started = time.perf_counter()
            answered = self._review(server, report, task_id, truth)
            self._spend("reviewers", started)
            self._say(f"{len(server.reviewers)} simulated reviewers answered {answered} cards and finished their jobs")
        report_path = self._write_report(server.client, task_id, info, rounds)
        folder = self._journal_folder(server.client, task_id)
        return DemoResult(task_id, tuple(rounds), detector, self._args.backend, report_path, folder, self._spent)

    def _spend(self, stage: str, started: float) -> None:
        self._spent[stage] = self._spent.get(stage, 0.0) + time.perf_counter() - started

    def _tell(self, done: DemoRound) -> None:
        sync = done.sync
        changes = ", ".join(f"{count} tracks {verb}" for verb, count in _changes(sync) if count)
        self._say(f"{changes or 'nothing to push'}; {sync.clicks} of {sync.budget_clicks} clicks spent")
        if done.scores:
            self._say("the labels in CVAT: " + ", ".join(f"{name} {done.scores[name]:.1f}" for name in SHOWN_SCORES))
        for conflict in sync.conflicts:
            self._say(f"answers contradict each other: {conflict}")
        if sync.phase == "waiting":
            self._say(
                f"round {sync.round} asks {sync.questions} questions in {sync.waiting_jobs} review jobs "
                f"of task {sync.review_task}"
            )

    def _scores(
        self, client: Client, task_id: int, info: ClipInfo, truth: GroundTruth | None
    ) -> Mapping[str, float] | None:
        """Of the tracks that stand in CVAT, read back through the API."""
        if truth is None:
            return None
        reader = CvatReader(client)
        jobs = reader.jobs(task_id)
        annotations = {job.id: reader.annotations(job.id) for job in jobs}
        return evaluate(truth, labels_in_cvat(info, jobs, annotations, reader.labels(task_id))).as_dict()

    def _review(self, server: DemoServer, report: SyncReport, task_id: int, truth: GroundTruth) -> int:
        with open_journal(server.client, self._state, task_id) as journal:
            session = journal.session()
            maps = {card.query_id: card.to_frame for card in journal.cards()}
            candidates = read_candidates(journal.folder / CANDIDATES_FILE)
        assert session is not None and report.review_task is not None
        queries = {query.id: query for query in session.asked}
        oracle = Oracle(candidates, truth, error_rate=self._args.error_rate, seed=self._args.seed + session.round)
        return sum(
            SimulatedReviewer(client, oracle).work(report.review_task, queries, maps) for client in server.reviewers
        )

    def _write_report(self, client: Client, task_id: int, info: ClipInfo, rounds: list[DemoRound]) -> Path:
        started = time.perf_counter()
        frames = TaskFrames(CvatReader(client), task_id, info.frame_rate, info.class_names)
        scores = {number: done.scores for number, done in enumerate(rounds) if done.scores}
        with open_journal(client, self._state, task_id) as journal:
            path = report_task(journal, frames, self._out / "report.html", scores)
        self._spend("report", started)
        return path

    def _journal_folder(self, client: Client, task_id: int) -> Path:
        return state_folder(self._state, client.api_client.configuration.host, task_id)

    def _serve(self, server: DemoServer, task_id: int) -> None:
        self._say(
            f"\nserving until Ctrl-C. User names and passwords: {server.credentials_file}\n"
            f"  cvat-bridge --state {self._state} sync {task_id} "
            f"--server-host {server.client.api_client.configuration.host} --auth admin"
        )
        with suppress(KeyboardInterrupt):
            signal.pause()


def _changes(sync: SyncReport) -> list[tuple[str, int]]:
    return [("pushed", sync.changes["create"]), ("replaced", sync.changes["remove"]), ("kept", sync.changes["keep"])]
