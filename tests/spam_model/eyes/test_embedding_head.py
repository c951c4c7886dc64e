"""The embedding head: one pass over the image, or kept samples, and its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.errors import FormatError, InputError
from spam_model.eyes.embedding_head import EmbeddingHead, HeadShape, unit_length
from spam_model.storage import pack, unpack

SHAPE = HeadShape("some", (6, 20), (2, 4), projected=8, width=10, rows=4, columns=2, stripes=2, dimension=12)


@pytest.fixture
def head() -> EmbeddingHead:
    torch.manual_seed(0)
    head = EmbeddingHead(SHAPE)
    maps, image, boxes = _looks(64)
    head.train()(maps, image, boxes)  # statistics of the normalisation that are not 0 and 1
    return head.eval()


def _looks(count: int) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    maps = [torch.rand(2, 6, 16, 24, generator=generator), torch.rand(2, 20, 8, 12, generator=generator)]
    corner = torch.rand(count, 2, generator=generator) * 20
    boxes = torch.cat([corner, corner + 1 + torch.rand(count, 2, generator=generator) * 12], dim=1)
    return maps, torch.arange(count) % 2, boxes


@torch.no_grad()
def test_kept_samples_give_the_same_embeddings_as_the_image(head: EmbeddingHead) -> None:
    maps, image, boxes = _looks(9)
    from_image = head(maps, image, boxes)
    from_samples = head.embed_samples(head.sample(maps, image, boxes))
    assert from_image.shape == (9, 12)
    assert torch.allclose(from_image, from_samples, atol=1e-5)
    assert from_image.std(dim=0).min() > 0


@torch.no_grad()
def test_a_box_is_embedded_alike_alone_and_among_others_and_as_the_image_grows(head: EmbeddingHead) -> None:
    maps, image, boxes = _looks(9)
    together = head(maps, image, boxes)
    alone = head([feature[:1] for feature in maps], image[:1], boxes[:1])
    assert torch.allclose(together[:1], alone, atol=1e-5)
    assert head(maps, image[:0], boxes[:0]).shape == (0, 12)


@torch.no_grad()
def test_a_file_gives_back_the_head_to_half_precision(head: EmbeddingHead, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    head.save(path, {"seed": 3})
    again = EmbeddingHead.load(path)
    assert again.shape == SHAPE
    assert not again.training
    maps, image, boxes = _looks(20)
    assert torch.allclose(unit_length(again(maps, image, boxes)), unit_length(head(maps, image, boxes)), atol=5e-3)
    arrays, metadata = unpack("embedding head", path.read_bytes())
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    assert '"seed": 3' in metadata["about"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda arrays, meta: (arrays, {}), "shape of the head does not read"),
        (lambda arrays, meta: (dict(list(arrays.items())[1:]), meta), "numbers of another head in"),
        (lambda arrays, meta: ({n: a * np.float16(np.nan) for n, a in arrays.items()}, meta), "what is no number"),
    ],
)
def test_a_damaged_file_is_refused(head: EmbeddingHead, tmp_path: Path, spoil: object, message: str) -> None:
    path = tmp_path / "head.safetensors"
    head.save(path)
    arrays, metadata = unpack("embedding head", path.read_bytes())
    path.write_bytes(pack("embedding head", *spoil(arrays, metadata)))  # type: ignore[operator]
    with pytest.raises(FormatError, match=message):
        EmbeddingHead.load(path)


def test_another_file_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        EmbeddingHead.load(tmp_path / "none.safetensors")
    (tmp_path / "other.safetensors").write_bytes(b"something else entirely")
    with pytest.raises(FormatError, match="not a embedding head file"):
        EmbeddingHead.load(tmp_path / "other.safetensors")


def test_maps_with_few_channels_are_not_widened() -> None:
    assert EmbeddingHead(replace(SHAPE, projected=16)).projection[0].weight.shape[:2] == (6, 6)
