"""The journal: one process at a time, all or nothing, whole after a kill, and without a secret."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cvat_bridge.journal import CardRow, Journal, RoundRow, state_folder
from spam_model import storage
from spam_model.active.session import Session
from spam_model.errors import FormatError, InputError
from spam_model.values import Anchor, Answer, Constraints, Ledger, Query, QueryKind, Topic

FIRST, LATER, OTHER = (
    Anchor(1, 0, (0.0, 0.0, 4.0, 8.0), 0),
    Anchor(2, 1, (1.0, 0.5, 5.0, 8.25), 0),
    Anchor(3, 1, (9.0, 0.0, 13.0, 8.0), 0),
)
PLACE = Query(
    QueryKind.LOCALIZATION,
    0,
    (Anchor(-(2**62), 6, (0.1, 0.2, 4.3, 8.4), 0),),
    value=1.5,
    topic=Topic.PLACE,
    expected="nothing",
    error_probability=1 / 3,
    between=(FIRST, Anchor(4, 12, (1.0, 0.5, 5.0, 8.25), 0)),
)


def _session() -> Session:
    queries = (
        Query(QueryKind.DETECTION, 0, (FIRST,), uncertainty=0.6, value=1 / 3),
        Query(QueryKind.ASSOCIATION, 1, (FIRST,), ((LATER,), (OTHER,))),
        Query(QueryKind.LOCALIZATION, 0, (LATER,)),
        PLACE,
    )
    session = Session(Ledger(full=100, budget=10), constraints=Constraints()).ask(queries)
    return session.tell((Answer(queries[1].id, "B"), Answer(queries[2].id, box=(0.1, 0.0, 0.1 + 0.2, 1 / 3))))


def _child(code: str, folder: Path) -> subprocess.Popen[str]:
    script = f"from pathlib import Path\nfrom cvat_bridge.journal import *\nj = Journal(Path({str(folder)!r}))\n{code}"
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_a_second_process_is_kept_out_until_the_first_is_through(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(InputError, match=r"another cvat-bridge works on this task .*wait"):
        Journal(tmp_path)
    Journal(tmp_path).close()


def test_a_process_that_was_killed_in_a_transaction_leaves_neither_half_of_it_nor_a_lock(tmp_path: Path) -> None:
    code = """
j.put("round", "before")
j._db.execute("BEGIN IMMEDIATE")
j.put("round", "half")
j.put_round(RoundRow(1, None, "asking"))
print("now", flush=True)
import time; time.sleep(60)
"""
    with _child(code, tmp_path) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "now\n"
        with pytest.raises(InputError, match="another cvat-bridge"):
            Journal(tmp_path)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    with Journal(tmp_path) as journal:
        assert journal.get("round") == "before"
        assert journal.rounds() == ()


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        with pytest.raises(KeyboardInterrupt), journal.transaction():
            journal.put("run", 9)
            journal.add_written(1, [(1, "a"), (2, "b")])
            raise KeyboardInterrupt
        assert (journal.get("run"), journal.written(1)) == (None, frozenset())
        with journal.transaction():
            journal.put("run", 3)
        assert journal.next_run() == "r4"


def test_a_session_comes_back_as_it_was(tmp_path: Path) -> None:
    session = _session()
    with Journal(tmp_path) as journal:
        assert journal.session() is None
        journal.put_session(session)
    with Journal(tmp_path) as journal:
        again = journal.session()
    assert again == session
    assert again is not None
    assert [query.id for query in again.asked] == [query.id for query in session.asked]


def test_a_question_about_a_place_comes_back_with_all_it_knows_from_journal_and_file(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.put_session(_session())
        again = journal.session()
    assert again is not None
    assert PLACE.subject[0].is_drawn
    assert again.asked[-1] == PLACE
    assert storage.queries_from_bytes(storage.queries_to_bytes((PLACE,))) == (PLACE,)


def test_cards_and_rounds_come_back_as_they_were(tmp_path: Path) -> None:
    cards = [CardRow("aa", 1, 0, "r01_0000_aa.png", None), CardRow("bb", 1, 1, "b.png", (0.1, -2.0, 1 / 3))]
    with Journal(tmp_path) as journal:
        journal.put_cards(cards)
        journal.put_cards(cards)
        journal.put_round(RoundRow(1, None, "asking"))
        journal.put_round(RoundRow(1, 5, "open"))
    with Journal(tmp_path) as journal:
        assert journal.cards() == tuple(cards)
        assert journal.rounds() == (RoundRow(1, 5, "open"),)


@pytest.mark.parametrize("found", [0, 2, "1"])
def test_a_journal_of_another_version_is_refused_and_not_touched(tmp_path: Path, found: object) -> None:
    with Journal(tmp_path) as journal:
        journal.put("schema", found)
    with sqlite3.connect(tmp_path / "journal.sqlite") as raw:
        raw.execute("DROP TABLE withheld")
    raw.close()
    with pytest.raises(FormatError, match=f"has version {found}, this release reads 1"):
        Journal(tmp_path)
    raw = sqlite3.connect(tmp_path / "journal.sqlite")
    assert raw.execute("SELECT count(*) FROM sqlite_master WHERE name = 'withheld'").fetchone() == (0,)
    raw.close()


def test_a_journal_that_was_killed_while_it_was_made_is_finished(tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "journal.sqlite")
    raw.execute("CREATE TABLE document (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
    raw.close()
    with Journal(tmp_path) as journal:
        assert journal.rounds() == ()


def test_a_file_that_is_no_journal_is_refused_and_the_lease_given_back(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no database at all" * 100)
    for _ in range(2):
        with pytest.raises(FormatError, match="cannot be read"):
            Journal(tmp_path)


def test_a_session_that_something_else_wrote_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.put("session", {"ledger": "none"})
        with pytest.raises(FormatError, match="session cannot be read"):
            journal.session()


def test_the_same_boxes_under_a_new_identity_take_the_place_of_the_old(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add_written(1, [(4, "d")])
        assert journal.confirmed(1) == {}
        journal.confirm(1, [(4, "d")])
        journal.confirm(1, [(9, "d")])
        assert journal.confirmed(1) == {"d": 9}
        journal.unconfirm(1, ["d"])
        assert journal.confirmed(1) == {}
        assert journal.written(1) == {"d"}
        assert journal.highest_identity() == 9


def test_jobs_are_kept_apart(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.confirm(1, [(4, "d")])
        journal.withhold(2, {4})
        assert (journal.confirmed(1), journal.confirmed(2)) == ({"d": 4}, {})
        assert (journal.withheld(1), journal.withheld(2)) == (frozenset(), frozenset({4}))


def test_a_snapshot_is_of_the_first_moment_of_a_run(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.snapshot("r1", 1, {"tracks": ["before"]})
        journal.snapshot("r1", 1, {"tracks": ["after"]})
    raw = sqlite3.connect(tmp_path / "journal.sqlite")
    assert raw.execute("SELECT body FROM snapshot").fetchall() == [('{"tracks": ["before"]}',)]
    raw.close()


@pytest.mark.parametrize(
    ("host", "folder"),
    [
        ("https://cvat.example.com", "cvat.example.com/task-7"),
        ("https://lead:hunter2@cvat.example.com:8443/", "cvat.example.com-8443/task-7"),
        ("http://127.0.0.1:8080", "127.0.0.1-8080/task-7"),
    ],
)
def test_the_folder_is_named_after_the_server_without_credentials(tmp_path: Path, host: str, folder: str) -> None:
    assert state_folder(tmp_path, host, 7) == tmp_path / folder
