"""The API around a real SQLite store, and a client that calls it in this process."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi import FastAPI

from fakes.hub import open_rooms
from fakes.subscriber import subscriber
from inkwire.access.gate import CLI
from inkwire.api.app import BodyLimit, RateHeaders, api_router, install_errors
from inkwire.model.access import Scope
from inkwire.parts import Parts
from inkwire.store.live import LiveCounters


@dataclass(frozen=True)
class Answer:
    """What the app answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, which must be JSON."""
        assert "json" in self.headers["content-type"]
        return json.loads(self.body)


class Client:
    """Calls an ASGI app without a socket: every byte of the request is the test's own."""

    def __init__(self, app, key=None):
        self.app = app
        self.key = key

    def get(self, target, **options) -> Answer:
        """A GET."""
        return self.call("GET", target, **options)

    def post(self, target, json_body=None, **options) -> Answer:
        """A POST of JSON."""
        return self.call("POST", target, json_body, **options)

    def call(
        self, method, target, json_body=None, *, chunks=None, headers=None, more=(), sent=None
    ) -> Answer:
        """One request.

        `chunks`: a raw body in pieces, without a Content-Length (none: the client hangs up);
        `more`: headers that are there a second time; `sent`: collects the app's messages.
        """
        given = {"host": "hub.test"}
        if self.key:
            given["authorization"] = f"Bearer {self.key}"
        if json_body is not None:
            chunks = [json.dumps(json_body).encode()]
            given["content-length"] = str(len(chunks[0]))
        if chunks is not None:
            given["content-type"] = "application/json"
        given |= headers or {}
        pairs = [*given.items(), *more]
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("latin-1"),
            "root_path": "",
            "query_string": query.encode("latin-1"),
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in pairs],
            "client": ("192.0.2.7", 4711),
            "server": ("hub.test", 80),
        }
        chunks = [b""] if chunks is None else chunks
        return asyncio.run(exchange(self.app, scope, chunks, [] if sent is None else sent))


async def exchange(app, scope, chunks, sent) -> Answer | None:
    """Plays the server's part of one request."""
    last = len(chunks) - 1
    pending = [
        {"type": "http.request", "body": chunk, "more_body": number < last}
        for number, chunk in enumerate(chunks)
    ]

    async def receive():
        return pending.pop(0) if pending else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    if not sent:
        return None
    return Answer(
        status=sent[0]["status"],
        headers={k.decode().lower(): v.decode("latin-1") for k, v in sent[0]["headers"]},
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )


@pytest.fixture
def rooms(tmp_path):
    """The rooms of an empty hub."""
    with open_rooms(tmp_path / "data") as rooms:
        yield rooms


@pytest.fixture
def app(rooms):
    """The API as the hub mounts it."""
    return build(rooms)


#: The parts of the hub that a request is for.
_asked: ContextVar[Parts] = ContextVar("asked")


class AskedParts:
    """The parts of whichever hub is asked."""

    def __getattr__(self, name):
        return getattr(_asked.get(), name)


def new_api():
    """The API as the hub mounts it, for whichever hub is asked."""
    app = FastAPI(title="Inkwire", version="0", openapi_url="/v1/openapi.json", docs_url=None)
    install_errors(app)
    app.include_router(api_router(AskedParts()))
    app.add_middleware(BodyLimit)
    app.add_middleware(RateHeaders)
    return app


#: Made once: putting it together takes half a second.
whole_api = cache(new_api)


class Mounted:
    """The API of one hub; what it consists of is the same on every hub."""

    def __init__(self, parts, api):
        self._parts = parts
        self._api = api
        self.routes = api.routes
        self.openapi = api.openapi

    async def __call__(self, scope, receive, send):
        _asked.set(self._parts)
        await self._api(scope, receive, send)


def build(rooms, api=None):
    """The API as the hub mounts it; `api`: one of `new_api`, for who adds to it."""
    return Mounted(rooms.hub.parts(LiveCounters()), api or whole_api())


@pytest.fixture
def client(app, rooms):
    """Makes a client whose key holds the given scopes (all, if none is given)."""

    def make(*scopes):
        _, key = rooms.gate.add_api_key(CLI, name="test", scopes=frozenset(scopes or Scope))
        return Client(app, key)

    return make


@pytest.fixture
def hub_with(tmp_path):
    """Opens a hub with given settings: its rooms, and a client with an application's own key."""
    with ExitStack() as stack:

        def opened(**settings):
            rooms = stack.enter_context(open_rooms(tmp_path / "other", **settings))
            return rooms, Client(build(rooms), subscriber(rooms).key())

        yield opened


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """A client for requests that must change nothing: all tests of a module share its hub."""
    with open_rooms(tmp_path_factory.mktemp("idle") / "data") as rooms:
        _, key = rooms.gate.add_api_key(CLI, name="idle", scopes=frozenset(Scope))
        client = Client(build(rooms), key)
        yield client
        assert rooms.desk.all(CLI) == []
        assert len(rooms.store.access.audit()) == 1


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Rooms and a client that all tests of a module share and may change."""
    with open_rooms(tmp_path_factory.mktemp("busy") / "data") as rooms:
        _, key = rooms.gate.add_api_key(CLI, name="busy", scopes=frozenset(Scope))
        yield rooms, Client(build(rooms), key)


@pytest.fixture
def admin(client):
    """A client that may do everything."""
    return client()
