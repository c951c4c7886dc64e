"""The embedded server answers recorded exchanges as the real server 2.54.1 did: same status, same shape of the body.

Ids agree too (what was told once means the same object later), and so do values that do not depend on the moment.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvat_bridge.embedded.process import ServerProcess
from tests.cvat_bridge.accounts import PASSWORDS
from tests.cvat_bridge.embedded import distil
from tests.cvat_bridge.embedded.nuclio_side import NuclioSide
from tests.cvat_bridge.embedded.replay import GOLDEN, Replay

# Exchanges of endpoints in scope that cannot be replayed, because they rest on something out of scope.
_GROUND_TRUTH = "a ground-truth job"
_FUNCTIONS = "annotations made by a function of the automatic annotation"
_OTHER_KINDS = "a call of a tracker or a reid function"
_BAD_FUNCTIONS = "a stand-in function that fails, see test_functions"
_EXPORT = "a request of a job's export or of an import, or what it brought"
_CONSENSUS = "a task with consensus replicas"
_ORGANIZATION = "an organization"
_ARCHIVE = "an uploaded archive with context images"
_EARLIER = "lists objects of an earlier recording"
EXCLUDED: dict[str, dict[str, tuple[int, ...]]] = {
    "05-images-mapping-meta": {_ARCHIVE: (103, 104, 105, 106, 107, 108, 109, 110, 111)},
    "06-jobs": {_GROUND_TRUTH: (54, 55, 56, 59, 60, 61, 62, 63, 65, 66, 67, 68, 69, 70, 84)},
    "08-lambda": {
        _FUNCTIONS: (24, 29, 33, 42, 46, 68, 72, 113, 118),
        _OTHER_KINDS: (94, 95, 96, 97, 98),
        _BAD_FUNCTIONS: (99, 100),
    },
    "10-export-import": {
        _EXPORT: (31, 32, 38, 39, 40, 46, 47, 52, 53, 54, 58, 68, 69, 70),
    },
    "11-permissions": {_EXPORT: (84,)},
    "12-lists-and-errors": {_EARLIER: (36, 37, 39), "CVAT's own HTML pages for a browser": (63,)},
    "13-deletion-and-organization": {_ORGANIZATION: (26, 27, 33, 37, 39, 40, 42, 43, 44, 46)},
    "14-consensus-replicas": {_CONSENSUS: (*range(4, 26), 29, *range(31, 41))},
}
FILES = sorted(path.stem for path in GOLDEN.glob("[0-9]*.json"))


@pytest.fixture(scope="module")
def untouched_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("replay") / "data"
    with NuclioSide() as nuclio, ServerProcess(folder, PASSWORDS, functions=nuclio.url) as process:
        yield process


def _excluded(name: str) -> set[int]:
    return {number for numbers in EXCLUDED.get(name, {}).values() for number in numbers}


@pytest.mark.parametrize("name", FILES)
def test_recorded_exchanges_are_answered_as_by_the_real_server(untouched_server: ServerProcess, name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    replay, problems = Replay(untouched_server.url, PASSWORDS), []
    for exchange in golden["exchanges"]:
        if exchange["n"] not in _excluded(name):
            where = f"{name} #{exchange['n']} {exchange['method']} {exchange['path']}"
            problems += [f"{where}: {problem}" for problem in replay.problems_of(exchange)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", EXCLUDED)
def test_only_recorded_exchanges_are_excluded(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    assert _excluded(name) <= {exchange["n"] for exchange in golden["exchanges"]}


@pytest.mark.shared_data
def test_distilling_the_recordings_again_gives_the_golden_files() -> None:
    if not distil.RECORDINGS.is_dir():
        pytest.skip(f"shared_data: {distil.RECORDINGS} is not there (set CVAT_SPAM_DATA)")
    stored = {path.name: path.read_text() for path in Path(GOLDEN).iterdir()}
    assert distil.distilled() == stored
