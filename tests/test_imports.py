"""Imports go one way: the model knows of nobody, the bridge not of the functions, the functions only of the writer."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "spam_model": ("cvat_bridge", "serverless", "cvat_sdk", "nuclio_sdk", "requests", "flask"),
    "cvat_bridge": ("serverless",),
}


def _modules(source: str, package: str) -> Iterator[str]:
    """Dotted names of all that a file imports, wherever it stands in the file; relative ones resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            yield from (str(argument.value) for argument in node.args[:1] if isinstance(argument, ast.Constant))


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _imports_of(package: str) -> list[tuple[Path, str]]:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    return [
        (path.relative_to(ROOT), name)
        for path in files
        for name in _modules(path.read_text(), ".".join(path.relative_to(ROOT).parent.parts))
    ]


def _is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_imports_nothing_that_stands_above_it(package: str) -> None:
    wrong = [
        f"{path} imports {name}"
        for path, name in _imports_of(package)
        if any(_is_within(name, module) for module in FORBIDDEN[package])
    ]
    assert not wrong


def test_the_functions_import_no_more_of_the_bridge_than_its_writer() -> None:
    wrong = [
        f"{path} imports {name}"
        for path, name in _imports_of("serverless")
        if _is_within(name, "cvat_bridge") and not _is_within(name, "cvat_bridge.writer")
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import cvat_sdk.core", {"cvat_sdk.core"}),
        ("def f():\n    from cvat_bridge import plan", {"cvat_bridge", "cvat_bridge.plan"}),
        ("from . import x", {"a.b", "a.b.x"}),
        ("from ..c import x", {"a.c", "a.c.x"}),
        ("import importlib\nimportlib.import_module('flask')", {"importlib", "flask"}),
    ],
)
def test_the_guard_sees_every_way_to_import(source: str, expected: set[str]) -> None:
    assert set(_modules(source, "a.b")) == expected
