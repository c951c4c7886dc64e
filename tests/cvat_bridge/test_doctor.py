"""The doctor finds what ails, says what to do, and changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cvat_sdk import Client, models

from cvat_bridge import doctor
from cvat_bridge.backend import transport
from cvat_bridge.connection import send
from cvat_bridge.doctor import Check, Patient, Status, examine
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import About, User
from serverless.functions.engine import Engine
from spam_model.errors import ServerError
from spam_model.labeler import Labeler
from tests.cvat_bridge.accounts import log_in
from tests.cvat_bridge.backend.fakes import ServedEngine, blob_source
from tests.cvat_bridge.conftest import MakeTask
from tests.cvat_bridge.proxy import Fault, Proxy

NAMES = ["server", "connection", "clock", "account", "token", "organization", "model", "disk"]
NAMES_OF_TASK = ["task", "rights", "jobs", "labels"]


@pytest.fixture(scope="module")
def task(make_task: MakeTask) -> int:
    return make_task()


@pytest.fixture
def patient(lead: Client, proxy: Proxy, task: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**40))
    return Patient(lead, tmp_path / "state", task)


def found(patient: Patient) -> dict[str, Check]:
    return {check.name: check for check in examine(patient)}


def test_a_task_that_is_ready_passes_and_nothing_is_written(patient: Patient, proxy: Proxy) -> None:
    checks = found(patient)
    assert list(checks) == [*NAMES, *NAMES_OF_TASK]
    assert {check.status for check in checks.values()} == {Status.OK}, checks
    assert "30 frames, 320×240 px" in checks["task"].text
    assert not proxy.writes
    assert not patient.state.exists()
    assert list(found(replace(patient, task=None))) == NAMES


def test_a_label_without_our_attributes_is_a_warning_and_one_that_is_missing_a_failure(
    patient: Patient, make_task: MakeTask
) -> None:
    plain = replace(patient, task=make_task(attributes=False))
    check = found(plain)["labels"]
    assert (check.status, f"cvat-bridge init {plain.task}" in check.text) == (Status.WARNING, True)
    check = found(replace(patient, classes=("person", "car")))["labels"]
    assert (check.status, "no rectangle label called car" in check.text) == (Status.FAIL, True)


def test_an_attribute_of_our_name_that_is_not_ours_is_a_failure(patient: Patient, make_task: MakeTask) -> None:
    other = models.AttributeRequest(name="spam_id", mutable=True, input_type="number", default_value="0", values=[])
    check = found(replace(patient, task=make_task(attributes=False, more=(other,))))["labels"]
    assert (check.status, "a mutable number" in check.text) == (Status.FAIL, True)


def test_finished_jobs_are_a_warning(patient: Patient, lead: Client, make_task: MakeTask) -> None:
    done = replace(patient, task=make_task())
    for job in CvatReader(lead).jobs(done.task or 0):
        body = models.PatchedJobWriteRequest(state="completed")
        lead.api_client.jobs_api.partial_update(job.id, patched_job_write_request=body)
    assert found(done)["jobs"].status is Status.WARNING


def test_what_is_not_there_fails_by_name_and_the_other_checks_go_on(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "RETRIES", 0)
    checks = found(replace(patient, task=987654, backend="http://127.0.0.1:9"))
    assert "check the id" in checks["task"].text
    assert "nuctl get functions" in checks["model"].text
    assert [name for name, check in checks.items() if check.status is Status.FAIL] == [
        "organization",
        "model",
        *NAMES_OF_TASK,
    ]


def test_a_function_tells_its_device(patient: Patient) -> None:
    with ServedEngine(Engine(blob_source(), Labeler.load())) as function:
        check = found(replace(patient, backend=function.url))["model"]
    assert (check.status, "on cpu" in check.text) == (Status.WARNING, True)


@pytest.mark.parametrize(("read_only", "days", "status"), [(False, 0, "ok"), (False, 3, "warning"), (True, 0, "FAIL")])
def test_a_token_is_looked_at(
    patient: Patient, lead: Client, proxy: Proxy, read_only: bool, days: int, status: str
) -> None:
    body: dict[str, Any] = {"name": "test", "read_only": read_only}
    if days:
        body["expiry_date"] = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    token = json.loads(send(lead.api_client.auth_api.create_access_tokens, body))["value"]
    with Client(proxy.url, check_server_version=False) as client:
        client.api_client.configuration.access_token = token
        assert found(replace(patient, client=client))["token"].status == status


def test_an_unknown_organization_fails(patient: Patient) -> None:
    with log_in(patient.reader.host, "admin") as client:
        client.organization_slug = "nowhere"
        check = found(replace(patient, client=client))["organization"]
        client.organization_slug = None
    assert (check.status, "check --org" in check.text) == (Status.FAIL, True)


def test_a_stranger_is_told_that_writes_may_be_refused(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CvatReader, "self_user", lambda self: User(id=99, username="eve", groups=("worker",)))
    checks = found(patient)
    assert checks["rights"].status is Status.WARNING
    assert (checks["account"].status, "group user" in checks["account"].text) == (Status.FAIL, True)


@pytest.mark.parametrize(
    ("version", "status"),
    [("2.54.1", "ok"), ("2.80.0", "ok"), ("2.53.9", "warning"), ("3.0", "warning"), ("x", "warning")],
)
def test_versions(patient: Patient, monkeypatch: pytest.MonkeyPatch, version: str, status: str) -> None:
    monkeypatch.setattr(CvatReader, "about", lambda self: About(name="CVAT", version=version))
    assert next(examine(patient)).status == status


@pytest.mark.parametrize(("minutes", "status"), [(0, "ok"), (3, "warning"), (-3, "warning")])
def test_a_clock_that_is_off_is_a_warning(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, minutes: int, status: str
) -> None:
    there = datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setattr(CvatReader, "server_time", lambda self: there)
    assert found(replace(patient, task=None))["clock"].status == status


@pytest.mark.parametrize(("free", "status"), [(2**40, "ok"), (2**30, "warning"), (2**20, "FAIL")])
def test_a_full_disk_fails(patient: Patient, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    assert doctor._disk(patient).status == status


CONNECTIONS = {
    "http://127.0.0.1:8080": (True, "ok"),
    "http://cvat.example": (True, "warning"),
    "https://cvat.example": (True, "ok"),
    "https://cvat.example:8443": (False, "warning"),
}


@pytest.mark.parametrize("host", CONNECTIONS)
def test_a_connection_that_can_be_listened_to_is_a_warning(patient: Patient, host: str) -> None:
    verify, status = CONNECTIONS[host]
    with Client(host, check_server_version=False) as client:
        client.api_client.configuration.verify_ssl = verify
        assert doctor._connection(replace(patient, client=client)).status == status


def test_a_server_that_fails_is_a_failure_not_a_crash(patient: Patient, proxy: Proxy) -> None:
    proxy.faults = [Fault("GET", "/api/server/about", 403, times=9)]
    checks: Iterator[Check] = examine(patient)
    assert next(checks).status is Status.FAIL
    with pytest.raises(ServerError):
        patient.reader.about()
