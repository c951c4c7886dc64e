"""Distillation: what is looked at once, and that heads learn what the teacher says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.cli import main
from spam_model.commands import distill
from spam_model.errors import InputError
from spam_model.eyes.cutouts import cut_out
from spam_model.eyes.distillation import Schedule, distil, examine
from spam_model.eyes.embedding_head import EmbeddingHead, HeadShape
from spam_model.eyes.lessons import Lessons, head_shape, make_lessons
from spam_model.eyes.people import gather_people
from spam_model.eyes.teacher_cache import ArrayCache, digest
from tests.spam_model.detectors.shared import BlobDetector, write_blobs
from tests.spam_model.eyes.toys import ColourTeacher, PoolingStand, draw_person, write_people

CPU = torch.device("cpu")


def lessons_of(
    stand: PoolingStand, teacher: ColourTeacher, cache: ArrayCache, count: int = 300, seed: int = 0
) -> Lessons:
    rng = np.random.default_rng(1)
    cutouts = [cut for group in range(40) for cut in cut_out(*draw_person(rng), group)]
    shape = head_shape(stand, teacher.dimension, rows=4, columns=2)
    return make_lessons(cutouts, np.full(40, 1 / 40), stand, teacher, shape, cache, count=count, seed=seed)


def legible_lessons(people: int = 60, looks: int = 8) -> Lessons:
    """What the teacher says of each of the people is written on the feature maps, behind noise and a turned space."""
    rng = np.random.default_rng(0)
    cutout = np.tile(np.arange(people), looks)
    teacher = rng.normal(size=(people, 6))
    teacher = (teacher / np.linalg.norm(teacher, axis=1, keepdims=True))[cutout]
    samples = (teacher @ rng.normal(size=(6, 20)))[:, :, None, None] + rng.normal(0, 0.5, (len(cutout), 20, 4, 2))
    return Lessons(samples.astype(np.float16), teacher.astype(np.float16), cutout, cutout)


@pytest.mark.parametrize(("dimension", "relation"), [(6, 0.0), (4, 0.0), (6, 10.0)])
def test_a_head_learns_to_say_what_the_teacher_says_also_of_people_held_out(dimension: int, relation: float) -> None:
    lessons = legible_lessons()
    torch.manual_seed(0)
    start = EmbeddingHead(HeadShape("some", (8, 12), (4, 8), 8, 16, 4, 2, 2, dimension)).eval()
    before = examine(start, lessons, np.flatnonzero(lessons.group % 10 == 0))
    distilled = distil(lessons, start, Schedule(steps=100, relation=relation), 0, CPU)
    assert before.cosine < 0.5
    assert distilled.held_out.cosine > 0.85
    assert distilled.held_out.auc > max(0.95, before.auc)
    assert distilled.held_out.teacher_auc == 1
    assert np.mean(distilled.losses[-10:]) < 0.5 * np.mean(distilled.losses[:10])


@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_same_seed_gives_the_same_head(bfloat16: bool) -> None:
    lessons = legible_lessons(20, 2)
    start = EmbeddingHead(HeadShape("some", (8, 12), (4, 8), 8, 8, 4, 2, 2, 6))
    first, again = (distil(lessons, start, Schedule(steps=4, bfloat16=bfloat16), 0, CPU).losses for _ in range(2))
    assert first == again
    assert np.isfinite(first).all()


def test_what_was_looked_at_is_not_looked_at_again(tmp_path: Path) -> None:
    stand, teacher = PoolingStand(), ColourTeacher()
    cache = ArrayCache(tmp_path)
    first = lessons_of(stand, teacher, cache)
    assert stand.looked > 0
    assert teacher.looked == len(first) >= 300
    stand.looked = teacher.looked = 0
    again = lessons_of(stand, teacher, cache)
    assert stand.looked == 1  # the probe of the maps
    assert teacher.looked == 0
    for name in ("samples", "teacher", "group", "cutout"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    lessons_of(stand, teacher, cache, seed=1)
    assert teacher.looked > 0


def test_a_damaged_cache_file_is_made_anew(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path)
    key = digest("a", 1)
    assert digest("a", 1) != digest("a1") != digest("a", "1")
    assert cache.get(key, lambda: np.ones(3)).tolist() == [1, 1, 1]
    assert cache.get(key, lambda: np.zeros(3)).tolist() == [1, 1, 1]
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert cache.get(key, lambda: np.zeros(3)).tolist() == [0, 0, 0]


def test_people_are_gathered_from_sets_sequences_and_bare_images(tmp_path: Path) -> None:
    people = write_people(tmp_path / "sets" / "some", 4)
    sequence = write_blobs(tmp_path / "walk", 8)
    detector = BlobDetector()
    gathered = gather_people([f"{people.parent}=3", str(sequence), str(sequence / "img1")], detector, 0)
    assert gathered.counts == {"some": 4, "walk": 16, "img1": 14}
    assert gathered.chance.sum() == pytest.approx(1)
    share = 3 / (3 + 4 + np.sqrt(14))
    assert gathered.chance[:4].sum() == pytest.approx(share)
    assert len({cut.group for cut in gathered.cutouts}) == 4 + 8 + 7


@pytest.mark.parametrize(
    ("spec", "message"),
    [("nowhere", "no such file or folder"), ("rendered:x", "takes a number"), ("some=-1", "greater than 0")],
)
def test_data_that_are_not_there_are_named(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        gather_people([spec], BlobDetector(), 0)


def test_the_command_writes_a_head_and_says_what_came_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Eyes(PoolingStand, BlobDetector):
        name = "yolov4-tiny"

    monkeypatch.setattr(distill, "YoloV4Tiny", lambda **_: Eyes())
    monkeypatch.setattr(distill, "create_appearance", lambda *_, **__: ColourTeacher())
    people, output = write_people(tmp_path / "some", 20), tmp_path / "head.safetensors"
    command = ["distill", str(people), "--teacher", "openvino:x", "-o", str(output), "--cache", str(tmp_path / "c")]
    command += ["--looks", "60", "--steps", "3", "--device", "cpu", "--json"]
    assert main(command) == 0
    about = json.loads(capsys.readouterr().out)
    assert (about["people"], about["steps"], about["output"]) == ({"some": 20}, 3, str(output))
    assert EmbeddingHead.load(output).shape.dimension == 6
    assert main([*command, "--from", str(output)]) == 0
    assert json.loads(capsys.readouterr().out)["from"] == "head.safetensors"
    assert main([*command, "--dimension", "7"]) == 2
    assert "the teacher has 6 numbers" in capsys.readouterr().err
