"""An `Origin` that is no URL, and a browser that left mid-form, were faults with a traceback."""

import pytest
from starlette.requests import Request

from inkwire.config import load_settings
from inkwire.errors import InvalidInput
from inkwire.pages.door import is_own_origin
from inkwire.pages.form_body import read_form


@pytest.mark.parametrize("origin", ["http://[", "http://[::", "http://[x]", "//["])
def test_an_origin_that_is_no_url_is_not_ours(tmp_path, origin):
    """It is refused like any other site."""
    headers = [(b"origin", origin.encode()), (b"host", b"hub.test")]
    request = Request({"type": "http", "headers": headers})
    assert not is_own_origin(request, load_settings(data_dir=tmp_path))


async def test_a_form_that_breaks_off_is_no_fault():
    """Nothing is done, and nothing is logged as a failure of ours."""
    messages = [
        {"type": "http.request", "body": b"a=b", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive():
        return messages.pop(0)

    kind = [(b"content-type", b"application/x-www-form-urlencoded")]
    with pytest.raises(InvalidInput, match="whole"):
        await read_form(Request({"type": "http", "headers": kind}, receive))
