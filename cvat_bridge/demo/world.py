"""The demo's surroundings: servers on this machine, or a CVAT that the person names; and the clip to label."""

from __future__ import annotations

import argparse
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cvat_sdk import models
from cvat_sdk.core.client import Client, Config, PasswordCredentials

from cvat_bridge.connection import POLL_SECONDS, as_server_error, connect
from cvat_bridge.embedded.process import ServerProcess
from cvat_bridge.ownership import ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE
from spam_model.data.motchallenge import find_sequence
from spam_model.data.rendered import render_clip
from spam_model.errors import InputError

REVIEWERS = ("reviewer1", "reviewer2")


@dataclass(frozen=True)
class DemoClip:
    """``media`` is what is uploaded: one video or many images. ``folder`` is the sequence folder, if it is one."""

    name: str
    media: tuple[Path, ...]
    folder: Path | None
    has_truth: bool


@dataclass(frozen=True)
class DemoServer:
    """A CVAT server and the accounts that the demo uses there. Passwords never show in a ``repr``."""

    client: Client
    reviewers: tuple[Client, ...] = ()
    credentials_file: Path | None = None
    passwords: dict[str, str] = field(default_factory=dict, repr=False)


def demo_clip(video: Path | None, sequence: Path | None, out: Path, frames: int) -> DemoClip:
    """The person's video or sequence folder, or a clip that we render.

    Raises:
        InputError: there is no video or image at the place given.
    """
    if video is not None:
        if not video.is_file():
            raise InputError(f"--video {video}: no such file")
        return DemoClip(video.stem, (video,), None, has_truth=False)
    folder = sequence or render_clip(out / "clip", frames=frames)
    found = find_sequence(folder)
    media = (found.video,) if found.video else tuple(sorted(found.images.iterdir())) if found.images else ()
    if not media:
        raise InputError(f"--sequence {folder}: holds neither video.* nor img1/; the loop needs pixels to show people")
    return DemoClip(found.name, media, folder, has_truth=found.ground_truth is not None)


@contextmanager
def embedded_server(folder: Path) -> Iterator[DemoServer]:
    """Starts the embedded CVAT-compatible server, logs in, and stops it at the end."""
    credentials = folder / "credentials.json"
    passwords = _passwords(credentials)
    with ExitStack() as stack:
        process = stack.enter_context(ServerProcess(folder, passwords))
        clients = [stack.enter_context(_login(process.url, name, passwords[name])) for name in passwords]
        yield DemoServer(clients[0], tuple(clients[1:]), credentials, passwords)


@contextmanager
def named_server(args: argparse.Namespace) -> Iterator[DemoServer]:
    """A CVAT server of the person's own; its reviewers are people."""
    with connect(args) as client:
        yield DemoServer(client)


def make_task(client: Client, clip: DemoClip, classes: tuple[str, ...]) -> int:
    """A project whose labels have our attributes, and a task with the clip; both through the SDK alone."""
    attributes = [
        models.AttributeRequest(
            name=name, mutable=False, input_type=models.InputTypeEnum("text"), default_value="", values=[]
        )
        for name in (ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE)
    ]
    labels = [models.PatchedLabelRequest(name=name, type="rectangle", attributes=attributes) for name in classes]
    try:
        project = client.projects.create(models.ProjectWriteRequest(name=f"SPAM demo: {clip.name}", labels=labels))
        task = client.tasks.create_from_data(
            models.TaskWriteRequest(name=clip.name, project_id=project.id),
            resources=list(clip.media),
            data_params={"image_quality": 95, "sorting_method": "natural"},
        )
    except Exception as error:
        raise as_server_error(error, "make the demo's task") from error
    return int(task.id)


def _passwords(file: Path) -> dict[str, str]:
    """Random ones, kept in a file that only this user may read, so that the same server can be started again."""
    if file.exists():
        return {str(name): str(value) for name, value in json.loads(file.read_text()).items()}
    passwords = {name: secrets.token_urlsafe(12) for name in ("admin", *REVIEWERS)}
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        json.dump(passwords, handle)
    return passwords


def _login(url: str, user: str, password: str) -> Client:
    client = Client(url, config=Config(status_check_period=POLL_SECONDS), check_server_version=False)
    try:
        client.login(PasswordCredentials(user, password))
    except Exception as error:
        raise as_server_error(error, "log in to the embedded server") from error
    return client
