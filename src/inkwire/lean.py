"""Keeps out of a process what a library would load only because it is installed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(name: str) -> Iterator[None]:
    """Within the block the package `name` is as if it were not installed, unless it is loaded."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment] # how Python spells "not to be imported"
    try:
        yield
    finally:
        del sys.modules[name]
