"""Fixtures of the ingest's tests."""

import pytest

from ingest import kit


@pytest.fixture
async def hub(tmp_path):
    """A running hub with the usual limits."""
    async with kit.running(tmp_path) as running:
        yield running
