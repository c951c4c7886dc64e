"""function.yaml is read as Nuclio reads it."""

from pathlib import Path

import pytest

from cvat_bridge.embedded.nuclio.config import find_functions, parse_duration, read_function
from spam_model.errors import FormatError, InputError
from tests.cvat_bridge.embedded_nuclio.functions import write_function


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), ("1m30s", 90.0), ("500ms", 0.5), ("1.5s", 1.5), ("2h", 7200.0)]
)
def test_a_go_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "1m 30s", "-3s", "1d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_what_is_not_said_has_nuclios_default(tmp_path: Path) -> None:
    folder = write_function(tmp_path, "plain", "")
    function = read_function(folder / "function.yaml")
    assert (function.workers, function.availability_timeout, function.max_body) == (1, 10.0, 4 * 2**20)
    assert function.event_timeout is None
    assert function.labels == {"nuclio.io/project-name": "cvat"}


def test_everything_that_is_said_is_taken(tmp_path: Path) -> None:
    trigger = {
        "maxWorkers": 3,
        "workerAvailabilityTimeoutMilliseconds": 250,
        "attributes": {"maxRequestBodySize": 33554432},
    }
    folder = write_function(
        tmp_path,
        "full",
        "",
        trigger=trigger,
        metadata={"annotations": {"version": 2, "spec": None, "startswith_box": True}},
        eventTimeout="90s",
        env=[{"name": "A", "value": "x"}, {"name": "B", "value": 3}],
    )
    function = read_function(folder / "function.yaml")
    assert (function.workers, function.availability_timeout, function.max_body) == (3, 0.25, 33554432)
    assert (function.event_timeout, function.trigger_name) == (90.0, "web")
    assert function.environment == {"A": "x", "B": "3"}
    assert function.annotations == {"version": "2", "spec": "", "startswith_box": "true"}


def test_num_workers_goes_before_its_former_name(tmp_path: Path) -> None:
    folder = write_function(tmp_path, "both", "", trigger={"numWorkers": 4, "maxWorkers": 2})
    assert read_function(folder / "function.yaml").workers == 4


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"runtime": "golang"}, "runtime"),
        ({"handler": "main"}, "handler"),
        ({"eventTimeout": "soon"}, "eventTimeout"),
        ({"trigger": {"numWorkers": 0}}, "numWorkers"),
    ],
)
def test_a_function_that_nuclio_would_not_run_is_refused(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    folder = write_function(tmp_path, "bad", "", **changes)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=reason):
        read_function(folder / "function.yaml")


def test_a_broken_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "function.yaml").write_text("metadata: [")
    with pytest.raises(FormatError, match=r"function\.yaml is not YAML"):
        read_function(tmp_path / "function.yaml")


def test_functions_are_found_below_a_folder(tmp_path: Path) -> None:
    write_function(tmp_path / "pytorch" / "spam", "b", "")
    write_function(tmp_path, "a", "")
    assert [function.name for function in find_functions([tmp_path])] == ["a", "b"]


def test_a_folder_without_functions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no function\.yaml"):
        find_functions([tmp_path])


def test_two_functions_of_one_name_are_refused(tmp_path: Path) -> None:
    write_function(tmp_path / "one", "same", "")
    write_function(tmp_path / "two", "same", "")
    with pytest.raises(InputError, match="two functions are called 'same'"):
        find_functions([tmp_path])
