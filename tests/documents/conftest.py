"""Rooms of an empty hub, for the tests of documents."""

import pytest

from fakes.hub import open_rooms


@pytest.fixture
def rooms(tmp_path):
    """The rooms around a real SQLite store."""
    with open_rooms(tmp_path / "data") as rooms:
        yield rooms
