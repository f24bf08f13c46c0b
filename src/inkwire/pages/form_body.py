"""Reads a posted form: bounded, URL-encoded only."""

from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from inkwire.errors import InvalidInput
from inkwire.pages.visit import Form

#: A list of 1,000 document ids of 200 characters, escaped, fits.
MAX_FORM_BYTES = 1024 * 1024
#: An order of 80 lines and 100 fields of the site's own has 700.
MAX_FIELDS = 1_000


async def read_form(request: Request) -> Form:
    """The form's fields, repeats kept. Raises InvalidInput if it is none, or too large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise InvalidInput("This address takes forms; send application/x-www-form-urlencoded.")
    body = await _body(request)
    try:
        fields = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError:
        raise InvalidInput(
            "The form cannot be read; load the page again and send it anew."
        ) from None
    return Form(fields)


async def _body(request: Request) -> bytearray:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                raise InvalidInput(
                    "The form is too large; shorten its longest field and send it again."
                )
    except ClientDisconnect:  # nobody reads the answer, and nothing is done
        raise InvalidInput("The form did not arrive whole; send it again.") from None
    return body
