"""Page tokens of BoxC's API: they hold the query that they go on with. Pure.

A token is not signed, and need not be: it holds limit, order and the last id that its owner saw,
each is checked again, and whoever makes one up sees their own application's webhooks and no other.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from inkwire.api.boxc_errors import PAGE_TOKEN, BoxcRefusal

MAX_LIMIT = 100
_TOKEN = re.compile(r"(asc|desc)\.([1-9][0-9]{0,2})\.([1-9][0-9]{0,17})", re.ASCII)
_MAX_TOKEN = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a page begins."""

    limit: int
    ascending: bool
    #: The last id of the page before; None: at the beginning.
    after: int | None = None

    def token_behind(self, last: int) -> str:
        """The token of the page behind the webhook `last`."""
        text = f"{'asc' if self.ascending else 'desc'}.{self.limit}.{last}"
        return base64.urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")


def read_token(token: str) -> Place:
    """What a token holds. Raises BoxcRefusal (1025) if it is none of ours."""
    found = _TOKEN.fullmatch(_decoded(token))
    if found is None or int(found[2]) > MAX_LIMIT:
        raise BoxcRefusal(
            "Invalid page token: give `next_page` of the page before, unchanged.",
            number=PAGE_TOKEN,
        )
    return Place(limit=int(found[2]), ascending=found[1] == "asc", after=int(found[3]))


def _decoded(token: str) -> str:
    if len(token) > _MAX_TOKEN or not token.isascii():
        return ""
    try:
        padded = token + "=" * (-len(token) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
