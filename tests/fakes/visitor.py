"""A browser without script: calls an ASGI app in this process, keeps cookies, sends forms."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

HOST = "console.test"
Fields = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What the app answered."""

    status: int
    #: Names in lower case; of repeated ones the last.
    headers: Mapping[str, str]
    set_cookies: tuple[str, ...]
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    @property
    def words(self) -> str:
        """What a person reads: the text between the tags, single blanks."""
        bare = re.sub(r"<(script|style|head)\b.*?</\1>", " ", self.text, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", bare)).split())

    @property
    def location(self) -> str:
        """Where a redirect leads."""
        return self.headers["location"]


class Visitor:
    """One browser."""

    def __init__(self, app: Any, base: str = "/console") -> None:
        self.app = app
        self.base = base
        self.cookies: dict[str, str] = {}
        #: The token of the last page with a form.
        self.csrf = ""

    def sign_in(self, name: str, password: str) -> Answer:
        """Through the form, as a person would."""
        self.get("/sign-in")
        return self.post("/sign-in", {"name": name, "password": password, "next": ""})

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """GET below the console; `path` may hold a query."""
        answer = self.call("GET", self.base + path, headers=headers or {})
        found = re.search(r'name="csrf" value="([^"]*)"', answer.body.decode("utf-8", "replace"))
        if found:
            self.csrf = unescape(found[1])
        return answer

    def post(
        self,
        path: str,
        fields: Fields = (),
        *,
        headers: Mapping[str, str] | None = None,
        csrf: str | None = None,
    ) -> Answer:
        """POST of a form with the token of the last page (or `csrf`) and the origin of our own."""
        pairs = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
        body = urlencode([("csrf", self.csrf if csrf is None else csrf), *pairs]).encode()
        sent = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": f"http://{HOST}",
        } | dict(headers or {})
        sent = {name: value for name, value in sent.items() if value}
        return self.call("POST", self.base + path, headers=sent, body=body)

    def follow(self, answer: Answer) -> Answer:
        """The page that a redirect leads to."""
        assert answer.status == 303, (answer.status, answer.words[:300])
        return self.get(answer.location.removeprefix(self.base))

    def call(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """One request, whole."""
        given = {"host": HOST} | dict(headers)
        if self.cookies:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = asyncio.run(exchange(self.app, method, target, given, body))
        for line in answer.set_cookies:
            self._keep(line)
        return answer

    def _keep(self, line: str) -> None:
        known = line.removesuffix("; Partitioned")  # the standard library learns it with 3.14
        for name, morsel in SimpleCookie(known).items():
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


def scope_of(method: str, target: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """The ASGI scope of a request."""
    parts = urlsplit(target)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": parts.path.replace("%2F", "/"),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()],
        "client": ("192.0.2.9", 40000),
        "server": (HOST, 80),
    }


async def exchange(
    app: Any, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    """Sends one request to an ASGI app and collects the answer; hangs up on an endless stream."""
    sent: list[dict[str, Any]] = []
    given = [{"type": "http.request", "body": body, "more_body": False}]
    heard_enough = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if given:
            return given.pop()
        await heard_enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message.get("body") and (b"content-type", b"text/event-stream") in _kinds(sent[0]):
            heard_enough.set()

    await app(scope_of(method, target, headers), receive, send)
    start = next(m for m in sent if m["type"] == "http.response.start")
    pairs = [(k.decode().lower(), v.decode("latin-1")) for k, v in start["headers"]]
    return Answer(
        status=start["status"],
        headers=dict(pairs),
        set_cookies=tuple(value for name, value in pairs if name == "set-cookie"),
        body=b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body"),
    )


def _kinds(start: dict[str, Any]) -> set[tuple[bytes, bytes]]:
    return {(name, value.partition(b";")[0]) for name, value in start["headers"]}
