"""The headers that every answer of the pages carries."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Nobody may show a page in a frame.
NOBODY = "'none'"
#: Only pages of this hub.
OURSELVES = "'self'"


def page_policy(ancestors: str, frames: str = NOBODY) -> str:
    """No inline script or style, nothing from elsewhere.

    `ancestors`: who may frame the page; `frames`: what it may hold in a frame itself.
    """
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'; frame-src {frames}; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {ancestors}"
    )


def raw_policy(ancestors: str) -> str:
    """Stored content: shown as text in a browsing context that can do nothing at all."""
    return f"sandbox; default-src 'none'; frame-ancestors {ancestors}"


#: A PDF in a frame of our own pages. It needs no `sandbox`: with the type `application/pdf` and
#: `nosniff` a browser gives the bytes to its PDF viewer, which runs in an origin of its own, or
#: saves them; they never become a page of ours. Chromium 156 shows it under any policy (tried:
#: none, `default-src 'none'` alone, `sandbox`); browsers whose viewer is a page under the answer's
#: own policy show nothing with `sandbox`. `object-src`: a viewer that is an `<embed>` of the same
#: address.
PDF_POLICY = f"default-src 'none'; object-src {OURSELVES}; frame-ancestors {OURSELVES}"


#: `same-origin` and not `no-referrer`: it tells other sites nothing either, and with `no-referrer`
#: a browser sends `Origin: null` with our own forms, so that their origin could not be checked.
SAFE: Mapping[str, str] = {
    "content-security-policy": page_policy(NOBODY),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-robots-tag": "noindex",
}


class SafeHeaders:
    """Adds headers to every answer that does not set its own."""

    def __init__(self, app: ASGIApp, safe: Mapping[str, str] = SAFE) -> None:
        """`app`: what answers; `safe`: the headers."""
        self._app = app
        self._safe = safe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._safe.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_safely)
