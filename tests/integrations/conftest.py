"""Fixtures of the integrations' tests."""

import pytest

from fakes.hub import open_rooms


@pytest.fixture
def rooms(tmp_path):
    """The rooms of an empty hub."""
    with open_rooms(tmp_path / "data") as rooms:
        yield rooms
