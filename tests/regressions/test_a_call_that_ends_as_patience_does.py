"""A call of the store that ended just when the loop's patience did ended the whole worker."""

from concurrent.futures import Future

import pytest

from inkwire.delivery.standing import Standing


class JustLate(Future):
    """Is done a moment after whoever waits for it has given up."""

    def __init__(self, finish):
        super().__init__()
        self._finish = finish

    def result(self, timeout=None):
        if timeout is not None:
            self._finish(self)
            raise TimeoutError
        return super().result()


class OneCall:
    """A pool whose only call ends so."""

    def __init__(self, finish):
        self._finish = finish

    def submit(self, call):
        return JustLate(self._finish)

    def shutdown(self, *, wait):
        """Nothing is left."""


async def test_a_result_that_came_just_too_late_is_a_result():
    """No time-out of the store: it had answered."""
    standing = Standing(threads=1)
    standing.close()
    standing._pool = OneCall(lambda future: future.set_result("answer"))
    assert await standing(lambda: None) == "answer"


async def test_the_calls_own_error_stays_its_own():
    """What the store raised is raised, a time-out too."""
    standing = Standing(threads=1)
    standing.close()
    standing._pool = OneCall(lambda future: future.set_exception(TimeoutError("the store's own")))
    with pytest.raises(TimeoutError, match="own"):
        await standing(lambda: None)
