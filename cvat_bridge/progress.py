"""Progress bars on stderr for long work, and silence where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Advance = Callable[[int], object]


class Progress:
    """Bars when stderr is a terminal, unless ``quiet``."""

    def __init__(self, quiet: bool = False) -> None:
        self._off = quiet or not sys.stderr.isatty()

    @property
    def shows(self) -> bool:
        return not self._off

    @contextmanager
    def bar(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        with tqdm(total=total, desc=name, unit=unit, file=sys.stderr, disable=self._off, leave=False) as bar:
            yield bar.update
