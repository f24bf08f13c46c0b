"""Tokens are fetched ahead, by one at a time, with a statement of their own each."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import jwt
import pytest

from connections.kit import START, TOKEN, Stage
from fakes.box_server import Reply, Seen
from inkwire.connections import fetching
from inkwire.connections.tokens import LEASE_S
from inkwire.errors import LimitReached, NeedsAttention, Transient
from inkwire.model.connection import ConnectionHealth, Token


def me(stage: Stage):
    """One call through a fresh client, as each step of a run makes one."""
    return stage.desk.box("box-main").me()


def assertions(stage: Stage) -> list[dict]:
    """The claims of every statement that was sent."""
    found = []
    for seen in stage.box.sent("POST", TOKEN):
        form = dict(part.split("=", 1) for part in seen.body.decode().split("&"))
        found.append(jwt.decode(form["assertion"], options={"verify_signature": False}))
    return found


@pytest.fixture
def box(stage: Stage) -> Stage:
    """A stage with a connection whose user Box knows."""
    stage.add()
    stage.knows("/2.0/users/me", {"id": "5", "name": "Service", "login": "s@box"})
    return stage


def test_one_token_serves_until_shortly_before_its_end(box: Stage):
    """It is replaced 5 minutes ahead, without a 401 (R70)."""
    box.gives_tokens()
    me(box)
    box.clock.advance(seconds=3600 - 301)
    me(box)
    assert box.asked == 1
    box.clock.advance(seconds=2)
    me(box)
    assert box.asked == 2
    used = [one.headers["authorization"] for one in box.box.sent("GET", "/2.0/users/me")]
    assert used == ["Bearer token1", "Bearer token1", "Bearer token2"]


def test_a_statement_is_never_sent_twice(box: Stage):
    """Also after a 429, where the SDK repeats its `jti` and is refused."""
    box.box.on(
        "POST",
        TOKEN,
        Reply(429, headers={"Retry-After": "9"}),
        Reply(500),
        Reply(json={"access_token": "t"}),
    )
    with pytest.raises(LimitReached) as raised:
        me(box)
    assert raised.value.retry_after_s == 9
    with pytest.raises(Transient):
        me(box)
    assert me(box).id == "5"
    ids = [claims["jti"] for claims in assertions(box)]
    assert len(set(ids)) == 3 and all(16 <= len(one) <= 128 for one in ids)


def test_a_wrong_clock_of_ours_is_mended_once(box: Stage):
    """On a refused `exp` the statement is made anew by Box's Date; a second refusal is told."""
    refused = Reply(
        400, json={"error": "invalid_grant", "error_description": "Please check the 'exp' claim."}
    )
    box.box.date = "Sun, 22 Nov 2026 13:30:00 GMT"
    box.box.on(
        "POST", TOKEN, refused, Reply(json={"access_token": "t", "expires_in": 3600}), refused
    )
    me(box)
    first, second = assertions(box)
    assert second["exp"] - first["exp"] == 5400 and first["jti"] != second["jti"]
    held = box.store.connections.token("box-main").token
    assert held and held.expires_at == START + timedelta(hours=1), "by our clock, which reads it"
    box.clock.advance(seconds=4000)
    with pytest.raises(NeedsAttention) as raised:
        me(box)
    assert "clock" in raised.value.message and box.asked == 4


def test_threads_fetch_one_token(box: Stage):
    """Five threads with an expired token: one request, where the SDK makes five."""
    at_once = threading.Barrier(5)

    def slowly(_: Seen) -> Reply:
        time.sleep(0.1)  # long enough for all five to come
        return Reply(json={"access_token": "t1", "expires_in": 3600})

    box.box.on("POST", TOKEN, slowly)
    found: list[str] = []

    def ask() -> None:
        at_once.wait()
        found.append(me(box).id)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["5"] * 5
    assert box.asked == 1


def test_another_process_fetches_and_we_wait(box: Stage):
    """While another holds the lease, its token is waited for; we ask for none."""
    store = box.store.connections
    assert store.lease_refresh("box-main", generation=0, now=START, lease_s=30)

    def other_is_done(seconds: float) -> None:
        box.slept.append(seconds)
        if len(box.slept) == 3:
            token = Token(access="theirs", expires_at=START + timedelta(hours=1))
            assert store.put_token("box-main", token, generation=0)

    box.desk._calling._sleep = other_is_done
    me(box)
    assert box.asked == 0 and len(box.slept) == 3
    assert box.box.seen[-1].headers["authorization"] == "Bearer theirs"


def test_a_lease_of_a_dead_process_ends(box: Stage):
    """After 30 s the token is fetched by whoever needs it."""
    box.gives_tokens()
    assert box.store.connections.lease_refresh("box-main", generation=0, now=START, lease_s=30)
    box.desk._calling._sleep = lambda seconds: box.clock.advance(seconds=seconds)
    me(box)
    assert box.asked == 1 and box.clock.now() >= START + timedelta(seconds=30)


def test_nobody_waits_while_the_old_token_is_good(box: Stage):
    """In the last five minutes one caller fetches the next token; others go on with this one."""
    box.gives_tokens()
    me(box)
    box.clock.advance(seconds=3400)
    now = box.clock.now()
    assert box.store.connections.lease_refresh("box-main", generation=1, now=now, lease_s=30)
    me(box)
    assert box.asked == 1 and box.slept == []


def test_a_failed_fetch_frees_the_lease(box: Stage):
    """The next caller may try at once."""
    box.box.on(
        "POST", TOKEN, Reply(drop=True), Reply(json={"access_token": "t", "expires_in": 3600})
    )
    with pytest.raises(Transient):
        me(box)
    assert me(box).id == "5" and box.slept == []


def test_a_401_is_answered_by_one_refresh(box: Stage):
    """A token that Box withdrew is replaced once for all callers; then a person is asked."""
    box.gives_tokens()
    client = box.desk.box("box-main")
    client.me()
    box.box.on("GET", "/2.0/webhooks/1", Reply(401))
    with pytest.raises(NeedsAttention):
        client.webhook("1")
    assert box.asked == 2, "the first, and one more"
    now = box.store.connections.get("box-main")
    assert now.health is ConnectionHealth.NEEDS_ATTENTION and "authorise" in now.health_note


def test_a_refusal_is_noted_as_health(box: Stage):
    """What the token endpoint says is what the operator reads on the connection's page."""
    box.box.on(
        "POST", TOKEN, Reply(400, json={"error": "unauthorized_client", "error_description": "x"})
    )
    with pytest.raises(NeedsAttention):
        me(box)
    now = box.store.connections.get("box-main")
    assert now.health is ConnectionHealth.NEEDS_ATTENTION and "Admin Console" in now.health_note


def test_calls_are_kept_without_secrets(box: Stage):
    """Each request is on record with its run; nothing of a credential is."""
    box.gives_tokens()
    box.desk.box("box-main", work_id=None, run_id="int_1/k/1").me()
    calls = box.store.run_log.calls(connection_id="box-main")
    assert [(one.method, one.path, one.status) for one in calls] == [
        ("GET", "/2.0/users/me?fields", 200),
        ("POST", TOKEN, 200),
    ]
    assert {one.run_id for one in calls} == {"int_1/k/1"}
    assert all(text not in repr(calls) for text in ("token1", "s3cret", "assertion"))


def test_a_page_of_html_is_no_token(box: Stage):
    """A proxy's login page of endless length is read to 64 KiB and told as what it is."""
    box.box.on("POST", TOKEN, Reply(body=b"<html>" + b"x" * 300_000))
    with pytest.raises(Transient) as raised:
        me(box)
    assert "proxy" in raised.value.message


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n{"


@contextlib.contextmanager
def dribbling(at_once: bytes, then: bytes) -> Iterator[tuple[str, threading.Event]]:
    """A server that gives a beginning, then a byte every 20 ms; its address, and when we left."""
    left = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as conn:
            conn.settimeout(0.02)
            conn.recv(64 * 1024)
            conn.sendall(at_once)
            while not left.is_set():
                conn.sendall(then)
                with contextlib.suppress(TimeoutError):
                    if not conn.recv(1024):
                        break
        left.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/token", left
        left.set()
    thread.join(timeout=5)


@pytest.mark.parametrize(
    ("at_once", "then"),
    [(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"), (ANSWER, b" ")],
    ids=["headers", "body"],
)
def test_an_answer_that_dribbles_ends_before_the_lease(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, at_once: bytes, then: bytes
):
    """However often a byte comes: the whole call has a deadline, and the connection is closed."""
    assert fetching.WHOLE_S < LEASE_S
    monkeypatch.setattr(fetching, "WHOLE_S", 0.3)
    with dribbling(at_once, then) as (url, left):
        stage.add(token_url=url)
        began = time.monotonic()
        with pytest.raises(Transient, match="did not answer"):
            me(stage)
        assert time.monotonic() - began < 5
        assert left.wait(5), "nobody reads on"
    assert stage.store.connections.token("box-main").leased_until is None
