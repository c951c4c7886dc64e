"""``doctor``: what must hold before a task can be labelled, each check with what to do where it does not.

Nothing is changed anywhere: rights are judged from what CVAT tells of the account, not by trying to write.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from cvat_sdk.core.client import Client

from cvat_bridge.backend.remote import RemoteBackend
from cvat_bridge.connection import LOOPBACK
from cvat_bridge.frames import TaskFrames
from cvat_bridge.ownership import ID_ATTRIBUTE, unfit_attributes
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import User
from spam_model.device import resolve_device
from spam_model.errors import ServerError, SpamError
from spam_model.labeler import Labeler

OLDEST_SERVER, NEWEST_SERVER = (2, 54), (2, 80)  # what this release was tried on
SKEW_WARNING = timedelta(seconds=30)
TOKEN_WARNING = timedelta(days=7)
DISK_FAILURE, DISK_WARNING = 200 * 2**20, 2 * 2**30  # bytes: of a task's candidates and cards, and of several
FUNCTION_SECONDS = 30.0


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Check:
    """``text`` says what was found and, where that is not well, what to do."""

    name: str
    status: Status
    text: str


@dataclass(frozen=True)
class Patient:
    """What is to be looked at. ``task`` and ``backend`` may be left out; ``organization`` is that of the login."""

    client: Client
    state: Path
    task: int | None = None
    classes: tuple[str, ...] = ("person",)
    frame_rate: float = 25.0
    backend: str = "local"

    @property
    def reader(self) -> CvatReader:
        return CvatReader(self.client)


def examine(patient: Patient) -> Iterator[Check]:
    """All checks, one after another; one that ends in an error of ours is a failure with its message."""
    checks: list[tuple[str, Callable[[Patient], Check]]] = [
        ("server", _server),
        ("connection", _connection),
        ("clock", _clock),
        ("account", _account),
        ("token", _token),
        ("organization", _organization),
        ("model", _model),
        ("disk", _disk),
    ]
    if patient.task is not None:
        checks += [("task", _task), ("rights", _rights), ("jobs", _jobs), ("labels", _labels)]
    for name, check in checks:
        try:
            yield check(patient)
        except SpamError as error:
            yield Check(name, Status.FAIL, str(error))


def _server(patient: Patient) -> Check:
    about = patient.reader.about()
    text = f"CVAT {about.version} at {patient.reader.host}, cvat-sdk {version('cvat-sdk')}"
    try:
        major, minor = (int(part) for part in about.version.split(".")[:2])
    except ValueError:
        return Check("server", Status.WARNING, f"{text}: the version is no number; is this a CVAT server?")
    if OLDEST_SERVER <= (major, minor) <= NEWEST_SERVER:
        return Check("server", Status.OK, text)
    tried = " to ".join(".".join(map(str, bound)) for bound in (OLDEST_SERVER, NEWEST_SERVER))
    return Check("server", Status.WARNING, f"{text}: not tried, only {tried}; look at a --dry-run first")


def _connection(patient: Patient) -> Check:
    configuration = patient.client.api_client.configuration
    parts = urlsplit(configuration.host)
    proxy = isinstance(patient.client.api_client.rest_client.pool_manager, urllib3.ProxyManager)
    way = f"through the proxy {urlsplit(configuration.proxy).hostname}" if proxy else "directly"
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        text = f"{way}, without TLS: credentials can be read on the way; use https:// where the server has it"
        return Check("connection", Status.WARNING, text)
    if parts.scheme == "https" and not configuration.verify_ssl:
        text = f"{way}, the certificate is not checked: give --ca-bundle FILE in place of --insecure"
        return Check("connection", Status.WARNING, text)
    return Check("connection", Status.OK, f"{way}, {'TLS' if parts.scheme == 'https' else 'on this machine'}")


def _clock(patient: Patient) -> Check:
    there = patient.reader.server_time()
    if there is None:
        return Check("clock", Status.WARNING, "the server's answers carry no date: its clock cannot be compared")
    skew = abs(datetime.now(UTC) - there)
    text = f"{skew.total_seconds():.0f} s between this clock and the server's"
    if skew > SKEW_WARNING:
        text += ": journals and CVAT will tell different times; set the clock by NTP"
        return Check("clock", Status.WARNING, text)
    return Check("clock", Status.OK, text)


def _account(patient: Patient) -> Check:
    user = patient.reader.self_user()
    groups = ", ".join(user.groups) or "none"
    if not user.is_superuser and user.groups and not {"admin", "user", "business"} & set(user.groups):
        text = f"{user.username}, groups: {groups}: it may not make review tasks; ask for the group user"
        return Check("account", Status.FAIL, text)
    return Check("account", Status.OK, f"{user.username}, groups: {groups}")


def _token(patient: Patient) -> Check:
    if not patient.client.api_client.configuration.access_token:
        return Check("token", Status.OK, "none: logged in with user and password")
    token = patient.reader.own_token()
    if token.read_only:
        return Check("token", Status.FAIL, "the access token is read-only: make one that may write")
    if token.expiry_date is None:
        return Check("token", Status.OK, "it may write, and does not expire")
    left = token.expiry_date - datetime.now(UTC)
    if left < TOKEN_WARNING:
        return Check("token", Status.WARNING, f"it expires on {token.expiry_date:%Y-%m-%d}: make a new one in time")
    return Check("token", Status.OK, f"it may write, until {token.expiry_date:%Y-%m-%d}")


def _organization(patient: Patient) -> Check:
    slug = patient.client.organization_slug
    try:
        patient.reader.count_projects()  # any list tells whether the organization is known
    except ServerError as error:
        if slug and error.status in (400, 403, 404):
            text = f"{slug}: there is none of this name, or the account is no member; check --org"
            return Check("organization", Status.FAIL, text)
        raise
    of_task = patient.reader.task(patient.task).organization_id if patient.task is not None else None
    if of_task is not None and not slug:
        text = f"the task is in organization {of_task}: give --org, or reviews land in your personal workspace"
        return Check("organization", Status.WARNING, text)
    return Check("organization", Status.OK, slug or "none, the personal workspace")


def _model(patient: Patient) -> Check:
    if patient.backend == "local":
        text = f"in this process on {resolve_device()}, weights {Labeler.load().version}"
        return Check("model", Status.OK, text)
    said = RemoteBackend(patient.backend, timeout=FUNCTION_SECONDS).describe()
    text = f"the function answers: on {said.device}, weights {said.model_version}, detector {said.detector}"
    if said.device == "cpu":
        return Check("model", Status.WARNING, f"{text}; a GPU would be faster")
    return Check("model", Status.OK, text)


def _disk(patient: Patient) -> Check:
    folder = patient.state
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GiB free for journals, candidates and cards in {patient.state}"
    if not os.access(folder, os.W_OK):
        return Check("disk", Status.FAIL, f"{folder} cannot be written: give another --state folder")
    if free < DISK_FAILURE:
        return Check("disk", Status.FAIL, f"{text}: make room, or give another --state folder")
    if free < DISK_WARNING:
        return Check("disk", Status.WARNING, f"{text}: enough for small tasks only")
    return Check("disk", Status.OK, text)


def _task(patient: Patient) -> Check:
    assert patient.task is not None
    frames = TaskFrames(patient.reader, patient.task, patient.frame_rate, patient.classes)
    info = frames.info
    deleted = f", {len(frames.deleted)} of them deleted" if frames.deleted else ""
    return Check("task", Status.OK, f"{info.name}: {info.frame_count} frames{deleted}, {info.width}×{info.height} px")


def _rights(patient: Patient) -> Check:
    assert patient.task is not None
    reader = patient.reader
    user, task = reader.self_user(), reader.task(patient.task)
    holders: list[User | None] = [task.owner, task.assignee]
    if task.project_id is not None:
        project = reader.project(task.project_id)
        holders += [project.owner, project.assignee]
    if user.is_superuser or any(holder and holder.id == user.id for holder in holders):
        return Check("rights", Status.OK, f"{user.username} may write to task {task.id}")
    text = f"{user.username} is neither owner nor assignee of task {task.id} or its project: writes may be refused"
    return Check("rights", Status.WARNING, f"{text}, unless the organization gives the right; ask its owner")


def _jobs(patient: Patient) -> Check:
    assert patient.task is not None
    jobs = patient.reader.jobs(patient.task)
    finished = sum(job.is_finished for job in jobs)
    if not jobs:
        return Check("jobs", Status.FAIL, "the task has no annotation job: is its data still being processed?")
    if finished == len(jobs):
        text = f"all {len(jobs)} jobs are finished and stay as they are: reopen those that are to be labelled"
        return Check("jobs", Status.WARNING, text)
    apart = f", {finished} finished ones stay as they are" if finished else ""
    return Check("jobs", Status.OK, f"{len(jobs)} annotation jobs{apart}")


def _labels(patient: Patient) -> Check:
    assert patient.task is not None
    labels = {label.name: label for label in patient.reader.labels(patient.task) if label.type in ("any", "rectangle")}
    missing = [name for name in patient.classes if name not in labels]
    if missing:
        text = f"no rectangle label called {', '.join(missing)}, there are: {', '.join(labels) or 'none'}"
        return Check("labels", Status.FAIL, f"{text}; add it in CVAT, or choose others with --classes")
    unfit = [text for name in patient.classes for text in unfit_attributes(labels[name])]
    if unfit:
        return Check("labels", Status.FAIL, f"{'; '.join(unfit)}: rename it in CVAT, then run cvat-bridge init")
    without = [name for name in patient.classes if labels[name].attribute(ID_ATTRIBUTE) is None]
    if without:
        text = f"{', '.join(without)} lacks {ID_ATTRIBUTE}: whose a track is, is then known to this machine alone"
        return Check("labels", Status.WARNING, f"{text}; cvat-bridge init {patient.task} adds it")
    return Check("labels", Status.OK, ", ".join(patient.classes))
