"""What several tests do with the SDK: a project with our labels, a task with data, tracks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cvat_sdk import Client, models
from cvat_sdk.core.proxies.jobs import Job
from cvat_sdk.core.proxies.projects import Project
from cvat_sdk.core.proxies.tasks import Task


def attribute(
    name: str, mutable: bool, input_type: str, values: Sequence[str], default: str
) -> models.AttributeRequest:
    return models.AttributeRequest(
        name=name, mutable=mutable, input_type=input_type, values=list(values), default_value=default
    )


def new_project(client: Client, name: str = "street") -> Project:
    attributes = [
        attribute("identity", False, "text", [], ""),
        attribute("confidence", True, "number", ["0", "100", "1"], "0"),
    ]
    label = models.PatchedLabelRequest(name="person", type="rectangle", attributes=attributes)
    return client.projects.create(models.ProjectWriteRequest(name=name, labels=[label]))


def new_task(client: Client, project: Project, files: Sequence[Path], *, params: Any = None, **fields: Any) -> Task:
    fields = {"name": "clip", "segment_size": 20, "overlap": 0} | fields
    spec = models.TaskWriteRequest(project_id=project.id, **fields)
    return client.tasks.create_from_data(spec, list(files), data_params=params or {})


def jobs_in_order(task: Task) -> list[Job]:
    return sorted(task.get_jobs(), key=lambda job: job.start_frame)


def track(
    label_id: int, frames: Sequence[int], identity: int | None = None, text: str = ""
) -> models.LabeledTrackRequest:
    shapes = [
        models.TrackedShapeRequest(type="rectangle", frame=frame, points=[frame, 50.0, frame + 30.0, 120.0])
        for frame in frames
    ]
    known = [models.AttributeValRequest(spec_id=identity, value=text)] if identity is not None else []
    return models.LabeledTrackRequest(frame=frames[0], label_id=label_id, shapes=shapes, attributes=known)


def body(*tracks: models.LabeledTrackRequest) -> models.PatchedLabeledDataRequest:
    return models.PatchedLabeledDataRequest(tracks=list(tracks))
