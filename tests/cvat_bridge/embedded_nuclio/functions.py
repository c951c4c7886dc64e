"""Writes tiny function folders."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import yaml


def write_function(
    root: Path,
    name: str,
    source: str,
    *,
    trigger: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    **spec: Any,
) -> Path:
    """A folder ``name`` with ``main.py`` and ``function.yaml``; ``spec`` overrides what a minimal function has."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(textwrap.dedent(source))
    document = {
        "metadata": {"name": name, "annotations": {}, **(metadata or {})},
        "spec": {
            "description": f"test function {name}",
            "runtime": "python:3.11",
            "handler": "main:handler",
            "triggers": {"web": {"kind": "http", **(trigger or {})}},
            **spec,
        },
    }
    (folder / "function.yaml").write_text(yaml.safe_dump(document))
    return folder
