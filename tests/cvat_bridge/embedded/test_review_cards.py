"""Review cards, as in recording 15: one image a question, a tag with the answer, a reviewer who sees only his jobs."""

from pathlib import Path

import pytest
from cvat_sdk import Client, models
from cvat_sdk.api_client.exceptions import ForbiddenException
from cvat_sdk.core.proxies.annotations import AnnotationUpdateAction
from cvat_sdk.core.proxies.jobs import Job

from tests.cvat_bridge.embedded import flows
from tests.cvat_bridge.embedded.media_files import image_file

CARDS = ("card_1.png", "card_2.png", "card_3.png")


@pytest.fixture
def jobs(admin: Client, tmp_path: Path) -> list[Job]:
    """Two jobs; the first, of two cards, is assigned to reviewer1 and holds one tag a card."""
    files = [tmp_path / name for name in CARDS]
    for number, path in enumerate(files):
        path.write_bytes(image_file(".png", number))
    answer = flows.attribute("answer", False, "radio", ["?", "A", "B", "nobody"], "?")
    label = models.PatchedLabelRequest(name="who", type="tag", attributes=[answer])
    project = admin.projects.create(models.ProjectWriteRequest(name="review", labels=[label]))
    mapping = {"job_file_mapping": [list(CARDS[:2]), list(CARDS[2:])]}
    task = flows.new_task(admin, project, files, params=mapping, segment_size=0, overlap=None)
    found = flows.jobs_in_order(task)
    label_id = project.get_labels()[0].id
    tags = [models.LabeledImageRequest(frame=frame, label_id=label_id, source="auto") for frame in (0, 1)]
    request = models.PatchedLabeledDataRequest(tags=tags)
    found[0].update_annotations(request, action=AnnotationUpdateAction.CREATE)
    found[0].update(models.PatchedJobWriteRequest(assignee=2))
    return found


def test_each_job_has_exactly_the_cards_of_its_mapping(jobs: list[Job]) -> None:
    names = [[frame.name for frame in job.get_meta().frames] for job in jobs]
    assert names == [list(CARDS[:2]), list(CARDS[2:])]


def test_a_reviewer_answers_and_the_answer_is_read_through_the_task(
    jobs: list[Job], admin: Client, reviewer: Client
) -> None:
    job = reviewer.jobs.retrieve(jobs[0].id)
    tag = job.get_annotations().tags[0]
    answered = models.LabeledImageRequest(
        id=tag.id,
        frame=tag.frame,
        label_id=tag.label_id,
        source=tag.source,
        attributes=[models.AttributeValRequest(spec_id=tag.attributes[0].spec_id, value="B")],
    )
    job.update_annotations(models.PatchedLabeledDataRequest(tags=[answered]), action=AnnotationUpdateAction.UPDATE)
    job.update(models.PatchedJobWriteRequest(state="completed"))
    tags = admin.tasks.retrieve(jobs[0].task_id).get_annotations().tags
    assert [tag.attributes[0].value for tag in tags] == ["B", "?"]
    assert tags[0].source == "auto"
    assert admin.jobs.retrieve(jobs[0].id).state == "completed"


def test_a_reviewer_sees_only_his_jobs_in_lists(jobs: list[Job], reviewer: Client) -> None:
    (found, _) = reviewer.api_client.jobs_api.list(task_id=jobs[0].task_id)
    assert [job.id for job in found.results] == [jobs[0].id]
    assert reviewer.tasks.list() == []


def test_a_reviewer_cannot_read_a_job_of_another(jobs: list[Job], reviewer: Client) -> None:
    with pytest.raises(ForbiddenException):
        reviewer.jobs.retrieve(jobs[1].id)
    with pytest.raises(ForbiddenException):
        reviewer.api_client.jobs_api.retrieve_annotations(jobs[1].id)


def test_a_reviewer_cannot_hand_on_his_job(jobs: list[Job], reviewer: Client) -> None:
    with pytest.raises(ForbiddenException):
        reviewer.jobs.retrieve(jobs[0].id).update(models.PatchedJobWriteRequest(assignee=3))


def test_a_reviewer_reads_the_guide_of_his_task(jobs: list[Job], admin: Client, reviewer: Client) -> None:
    request = models.AnnotationGuideWriteRequest(task_id=jobs[0].task_id, markdown="Press the digit.")
    guide, _ = admin.api_client.guides_api.create(annotation_guide_write_request=request)
    assert admin.tasks.retrieve(jobs[0].task_id).guide_id == guide.id
    read, _ = reviewer.api_client.guides_api.retrieve(guide.id)
    assert read.markdown == "Press the digit."
