"""Unfinished bodies of strangers were kept without end, and filled the memory."""

import asyncio

from starlette.responses import PlainTextResponse

from inkwire.api.limits import BodyLimit

KIB = b"x" * 1024


class Sender:
    """One request whose body stays unfinished until `end`; `answer` is what came back."""

    def __init__(self, app, *, method="POST", path="/healthz"):
        self.messages = asyncio.Queue()
        self.answer = asyncio.get_running_loop().create_future()
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        self.task = asyncio.create_task(app(scope, self.messages.get, self._hear))

    async def _hear(self, message):
        if message["type"] == "http.response.start":
            headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self.answer.set_result((message["status"], headers))

    async def send(self, body):
        """A piece; returns after the app had the time to take it."""
        self.messages.put_nowait({"type": "http.request", "body": body, "more_body": True})
        for _ in range(5):
            await asyncio.sleep(0)

    async def status(self):
        """The answer's status and headers."""
        return await asyncio.wait_for(self.answer, 5)

    def end(self):
        """The last piece, empty."""
        self.messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})


async def _fine(scope, receive, send):
    await PlainTextResponse("fine")(scope, receive, send)


async def test_all_bodies_together_have_a_limit():
    """What does not fit is told to come back; room is free again after the others are done."""
    app = BodyLimit(_fine, max_held_bytes=2048)
    first, second, third = Sender(app), Sender(app), Sender(app, path="/v1/sources")
    await first.send(KIB)
    await second.send(KIB)
    await third.send(b"x")
    status, headers = await third.status()
    assert (status, headers["retry-after"]) == (503, "2")
    assert headers["content-type"] == "application/problem+json"
    first.end()
    assert (await first.status())[0] == 200
    await first.task
    fourth = Sender(app)
    await fourth.send(KIB)
    fourth.end()
    assert (await fourth.status())[0] == 200
    second.end()
    await second.task


async def test_a_body_has_a_deadline():
    """Whoever stops in the middle gets 408, and what they sent is let go of."""
    app = BodyLimit(_fine, max_held_bytes=1024, deadline_s=0.01)
    slow = Sender(app)
    await slow.send(KIB)
    status, headers = await slow.status()
    assert (status, headers["connection"]) == (408, "close")
    await slow.task
    next_one = Sender(app)
    await next_one.send(KIB)
    next_one.end()
    assert (await next_one.status())[0] == 200


async def test_a_get_is_answered_without_its_body():
    """Nothing of it is read, so nothing of it is kept."""
    get = Sender(BodyLimit(_fine), method="GET")
    assert (await get.status())[0] == 200
