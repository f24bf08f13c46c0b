"""The loop stands still for quick calls only."""

import asyncio
import threading

import pytest

from inkwire.delivery.standing import SKIPPED, Standing


@pytest.fixture
def standing():
    """Stands still for 50 ms."""
    made = Standing(threads=2, still_s=0.05)
    yield made
    made.close()


async def test_a_quick_call_is_waited_for_where_the_loop_stands(standing):
    """Nothing else runs in between; what it raises comes through."""
    turns = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    assert await standing(lambda: 7) == 7
    assert turns == []
    with pytest.raises(KeyError):
        await standing(lambda: {}["x"])


async def test_a_time_out_of_the_call_itself_is_no_slow_call(standing):
    """It is raised as it is."""

    def late():
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await standing(late)


async def test_a_slow_call_does_not_hold_the_loop(standing):
    """The loop goes on after a moment, and does not stand still for the next ones at all."""
    go_on = threading.Event()
    asyncio.get_running_loop().call_later(0.01, go_on.set)
    assert await standing(go_on.wait) is True  # only a loop that turns can set it
    for _ in range(SKIPPED):
        turned = threading.Event()
        asyncio.get_running_loop().call_soon(turned.set)
        assert await standing(turned.wait) is True
