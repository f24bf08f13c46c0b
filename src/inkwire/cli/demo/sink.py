"""A subscriber's server on loopback: proves what it gets by code of its own, and can fail."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from inkwire.model.webhook import ProfileName


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    #: Whether its signature is right.
    proven: bool


@dataclass(kw_only=True, slots=True)
class Sink:
    """What was heard at each path, and how to answer."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    #: Paths that answer 500.
    failing: set[str] = field(default_factory=set)
    #: Profile and signing key of each path.
    keys: dict[str, tuple[ProfileName, str]] = field(default_factory=dict, repr=False)

    def at(self, path: str) -> list[Heard]:
        """What was heard there, in order."""
        return [one for one in self.heard if one.path == path]

    async def take(self, request: web.Request) -> web.Response:
        """Any request: kept, proven, answered."""
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        profile, key = self.keys.get(request.path, (ProfileName.STANDARD, ""))
        self.heard.append(
            Heard(
                path=request.path,
                headers=headers,
                body=body,
                proven=bool(key) and is_proven(profile, key, headers, body),
            )
        )
        return web.Response(status=500 if request.path in self.failing else 200)


def is_proven(profile: ProfileName, key: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the signature is right, worked out here, apart from the code that signs. Pure."""
    if profile is ProfileName.BOXC:
        given, secret, signed = headers.get("x-boxc-hmac-sha256", ""), key.encode(), body
    else:
        given = headers.get("webhook-signature", "").removeprefix("v1,")
        secret = base64.b64decode(key.removeprefix("whsec_"))
        stamp = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}."
        signed = stamp.encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
    return hmac.compare_digest(expected, given.encode())


@asynccontextmanager
async def open_sink() -> AsyncIterator[Sink]:
    """A sink on a free port of loopback, closed at the end."""
    sink = Sink()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/{name:.*}", sink.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        _, port = runner.addresses[0][:2]
        sink.url = f"http://127.0.0.1:{port}"
        yield sink
    finally:
        await runner.cleanup()
