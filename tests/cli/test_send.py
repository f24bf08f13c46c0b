"""`inkwire send` against a running hub: what a provider would send, and what comes back."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli.kit import KEY, eventually


@pytest.fixture(scope="module")
def hub(served):
    """The running hub with a source of Box and one of Standard Webhooks."""
    cli = served.cli
    cli("sources", "create", "box", "--provider", "box", "--secret", f"primary={KEY}")
    cli("sources", "create", "shop", "--provider", "standardwebhooks", "--secret", f"secret={KEY}")
    _live(cli, served)
    return served


def _live(cli, served):
    """Waits until the web process knows the sources, which takes it less than a second."""
    for name in ("box", "shop"):
        eventually(
            lambda name=name: (
                cli.json("send", "box", f"{served.url}/in/{name}", "--secret", "x" * 32, code=1)[
                    "status"
                ]
                == 401
            )
        )


def test_a_sample_is_taken_and_stored(hub):
    """With the source's own settings and secret, to the hub itself: 200, and it is in the list."""
    sent = hub.cli.json("send", "box:FILE.UPLOADED", "--source", "box")
    assert sent["status"] == 200
    assert sent["event_type"] == "box.FILE.UPLOADED"
    events = hub.cli.json("events", "list", "--source", "box", "--type", "box.FILE.UPLOADED")
    assert len(events) >= 1


def test_fresh_makes_another_event(hub):
    """Without --fresh the same event is a duplicate; with it each is new."""
    for _ in range(2):
        hub.cli("send", "standardwebhooks:order-signed", "--source", "shop")
    for _ in range(2):
        hub.cli("send", "standardwebhooks:order-signed", "--source", "shop", "--fresh")
    found = hub.cli.json("events", "list", "--source", "shop")
    states = [event["state"] for event in reversed(found)]
    assert states[0] == "new"
    assert states[-2:] == ["new", "new"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--source", "box", "--tamper"], "bad_signature"),
        (["--source", "box", "--at", "+1h"], "future"),
    ],
)
def test_what_is_refused(hub, options, reason):
    """Exit code 1, the status, and a pointer to the reason; the rejected log has it."""
    result = hub.cli("send", "box", f"{hub.url}/in/box", *options, code=1)
    assert "401 Unauthorized" in result.stdout
    assert "rejected list" in result.stderr
    rows = eventually(
        lambda: hub.cli.json("rejected", "list", "--source", "box", "--reason", reason)
    )
    shown = hub.cli("rejected", "show", rows[0]["id"]).stdout
    assert rows[0]["hint"].split()[0] in shown


def test_stale_is_quarantined_and_can_be_released(hub):
    """Signed right but too old: 401, held, and let in by one command."""
    hub.cli("send", "box", "--source", "box", "--at", "-2h", "--fresh", code=1)
    held = hub.cli.json("events", "list", "--source", "box", "--state", "quarantined")
    hub.cli("events", "release", held[0]["receipt_id"])
    assert hub.cli.json("events", "show", held[0]["id"])["state"] == "new"
    again = hub.cli("events", "release", held[0]["receipt_id"], code=1)
    assert "quarantine" in again.stderr


def test_many_at_once(hub):
    """A small load: every one is new, and the numbers are told."""
    load = hub.cli.json(
        "send", "standardwebhooks", "--source", "shop", "--fresh", "--count", "40",
        "--concurrency", "8",
    )  # fmt: skip
    assert load["answers"] == {"200 OK": 40}
    assert load["failed"] == 0
    assert load["p99_ms"] >= load["p50_ms"] > 0


def test_at_a_rate(hub):
    """`--rate` spaces them: ten at 50 a second take at least 0.18 s."""
    load = hub.cli.json(
        "send", "standardwebhooks", "--source", "shop", "--fresh", "--count", "10", "--rate", "50"
    )
    assert load["seconds"] >= 0.18


def test_tail_shows_what_arrives(hub):
    """`events tail` prints each event once, as it comes, in order."""
    follower = hub.cli.start("events", "tail", "--source", "shop", "--json", "-n", "3")
    while follower.poll() is None:
        hub.cli("send", "standardwebhooks:contact-created", "--source", "shop", "--fresh")
    out, err = follower.communicate()
    assert follower.returncode == 0, err
    found = [json.loads(line) for line in out.splitlines()]
    assert len({event["id"] for event in found}) == 3
    assert [event["id"] for event in found] == sorted(event["id"] for event in found)


def test_its_own_body_and_event_type(hub, tmp_path):
    """`--body` sends any body as that provider would, under the type that is named."""
    (tmp_path / "b.json").write_text(
        '{"type":"order.paid","timestamp":"2026-01-01T00:00:00Z","data":{}}'
    )
    hub.cli(
        "send", "standardwebhooks:order.paid", "--source", "shop", "--fresh", "--body",
        str(tmp_path / "b.json"),
    )  # fmt: skip
    found = hub.cli.json(
        "events", "list", "--source", "shop", "--type", "standardwebhooks.order.paid"
    )
    body = hub.cli("events", "show", found[0]["id"], "--body").stdout_bytes
    assert json.loads(body)["type"] == "order.paid"


class _Moody(BaseHTTPRequestHandler):
    """A receiver that fails twice, then takes it."""

    seen: list[dict]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append({"headers": dict(self.headers), "body": body})
        self.send_response(200 if len(self.seen) > 2 else 500)
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def moody():
    """Its address, and what it saw."""
    handler = type("Handler", (_Moody,), {"seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", handler.seen
    server.shutdown()
    server.server_close()


def test_retries_like_the_provider(no_store, moody):
    """Repeats on the vendor's schedule, shortened, until 2xx; signed anew, the same event."""
    url, seen = moody
    result = no_store(
        "send", "boxc", url, "--secret", KEY, "--retry-like-provider", "--speed", "100000"
    )
    lines = result.stdout.splitlines()
    assert [line.split(" · ")[1].split(" in ")[0] for line in lines] == [
        "500 Internal Server Error",
        "500 Internal Server Error",
        "200 OK",
    ]
    assert "next in 60 s" in lines[0] or "next in 1 min" in lines[0]
    assert len({one["body"] for one in seen}) == 1


def test_only_the_providers_headers_are_sent(no_store, moody):
    """Nothing that the vendor does not send: a signature may cover headers, a filter may look."""
    url, seen = moody
    no_store("send", "box", url, "--secret", KEY, code=1)
    names = {name.lower() for name in seen[0]["headers"]}
    assert names - {"host", "content-length"} == {
        "content-type", "user-agent", "box-delivery-id", "box-delivery-timestamp",
        "box-signature-version", "box-signature-algorithm", "box-signature-primary",
    }  # fmt: skip


def test_nobody_answers(no_store):
    """A refused connection is one line and exit code 1."""
    result = no_store("send", "box", "http://127.0.0.1:9/in/x", "--secret", KEY, code=1)
    assert "no connection" in result.stdout
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["box", "ftp://h/x", "--secret", KEY], 2, "http(s)://"),
        (["box", "http://", "--secret", KEY], 2, "http(s)://"),
        (["box", "http://h:99999/", "--secret", KEY], 2, "http(s)://"),
        (["box"], 2, "Say where to send it"),
        (["box", "http://h/x"], 2, "--secret"),
        (["box:nothing", "http://h/x", "--secret", KEY], 1, "file-uploaded"),
        (["nobody", "http://h/x"], 1, "there are: bolosign, box"),
        (["box", "http://h/x", "--secret", KEY, "--at", "soon"], 2, "is no time"),
        (["box", "http://h/x", "--secret", KEY, "--body", "/nowhere"], 1, "There is no file"),
        (["box", "http://h/x", "--source", "a", "--secret", KEY], 2, "not both"),
    ],
)  # fmt: skip
def test_wrong_options_say_what_to_do(no_store, options, code, message):
    """Each mistake is told before anything is sent."""
    result = no_store("send", *options, code=code)
    assert message in result.stderr
    assert "Traceback" not in result.output
