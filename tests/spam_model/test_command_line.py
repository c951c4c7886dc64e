"""What both command lines share: exit codes, one line on stderr, one object on stdout."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from spam_model import __version__, cli, errors
from spam_model.command_line import EXIT_CODES, build_parser, format_table, print_json, run
from spam_model.errors import SpamError


def every_error(root: type[SpamError] = SpamError) -> Iterator[type[SpamError]]:
    yield root
    for child in root.__subclasses__():
        yield from every_error(child)


def tool(action: Callable[[], int]) -> argparse.ArgumentParser:
    """A command line whose one command does ``action``."""
    module = ModuleType("do")

    def add_parser(subparsers: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
        subparsers.add_parser("do").set_defaults(run=lambda args: action())

    module.add_parser = add_parser  # type: ignore[attr-defined]
    return build_parser("tool", "A tool.", [module], "1.2")


def raising(error: BaseException) -> argparse.ArgumentParser:
    def action() -> int:
        raise error

    return tool(action)


CODES = {
    "SpamError": 1,
    "InputError": 2,
    "BusyError": 2,
    "FormatError": 2,
    "VideoError": 2,
    "DeviceError": 3,
    "ConstraintConflict": 4,
    "FetchError": 5,
    "BackendError": 6,
    "ServerError": 7,
}


def test_the_table_of_exit_codes_leaves_no_error_out() -> None:
    assert {error.__name__ for error in every_error() if error.__module__ == errors.__name__} == set(CODES)


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_each_error_has_its_exit_code_and_is_one_line_on_stderr(
    name: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(getattr(errors, name)("the box is\nempty;  draw it")), ["do"]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "tool: the box is empty; draw it\n"


@pytest.mark.parametrize("code", sorted(set(CODES.values()) | {0}))
def test_help_explains_every_exit_code(code: int) -> None:
    assert re.search(rf"(^|\s){code}  \w", EXIT_CODES)


def test_success_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tool(lambda: 0), ["do"]) == 0
    assert capsys.readouterr() == ("", "")


def test_an_interrupt_is_130_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(KeyboardInterrupt()), ["do"]) == 130
    assert "run the same command again" in capsys.readouterr().err


def test_verbose_shows_where_it_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(errors.InputError("no")), ["--verbose", "do"]) == 2
    printed = capsys.readouterr()
    assert "Traceback" in printed.err
    assert printed.out == ""


def test_an_error_that_nobody_foresaw_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()), ["do"])


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_reader_who_leaves_early_is_no_error(unbuffered: str) -> None:
    script = """
import sys
from types import SimpleNamespace
from spam_model.command_line import build_parser, run
def act(args):
    print("x")
    return 0
command = SimpleNamespace(add_parser=lambda commands: commands.add_parser("do").set_defaults(run=act))
sys.exit(run(build_parser("tool", "", [command], ""), ["do"]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        complaint = process.stderr.read()
    assert (process.wait(timeout=60), complaint) == (0, b"")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: COMMAND"),
        (["paint"], "invalid choice: 'paint'"),
        (["label"], "required: input, -o/--out"),
        (["label", "x", "-o", "y", "--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_wrong_usage_is_2_and_named(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(argv)
    printed = capsys.readouterr()
    assert stopped.value.code == 2
    assert printed.out == ""
    assert message in printed.err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"spam-model {__version__}\n"


@pytest.mark.parametrize("command", ["detect", "label", "evaluate", "benchmark", "train", "fetch-weights"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    assert f"usage: spam-model {command}" in capsys.readouterr().out


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1, 2.5], "b": None, "c": "…"})
    assert json.loads(capsys.readouterr().out) == {"a": [1, 2.5], "b": None, "c": "…"}


def test_a_table_is_aligned_to_the_right() -> None:
    table = format_table(("name", "score"), [("a", 1.25), ("long name", None), ("c", 12)])
    assert table.splitlines() == [
        "     name  score",
        "─────────  ─────",
        "        a    1.2",
        "long name      –",
        "        c     12",
    ]


def test_a_table_without_rows_has_its_header() -> None:
    assert format_table(("a", "bc"), []).splitlines() == ["a  bc", "─  ──"]
