"""A webhook's own header could be registered with a tab in it, and then nothing was ever sent."""

from inkwire.delivery.profiles import check_headers
from inkwire.model.message import AttemptResult as Result
from outbound.kit import OK, answering, endpoint, outbound, post


async def test_what_may_be_registered_is_sent():
    """As it was given."""
    own = (("X-Tenant", "one\ttwo"),)
    assert check_headers(own) == {}
    async with endpoint(answering(OK)) as seen, outbound() as sender:
        assert (await post(sender, seen.url, headers=own)).result is Result.OK
    assert b"\r\nX-Tenant: one\ttwo\r\n" in seen.requests[0][0]
