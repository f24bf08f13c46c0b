"""`inkwire listen`: messages reach a developer's machine, once each, through a restart."""

import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks import Webhook

from cli.kit import Cli, eventually

TOPIC = "shipments_status"


@dataclass
class Sink:
    """A developer's own program: keeps what it gets, answers what it is told to."""

    status: int = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A server on loopback."""
    seen = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(seen.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        seen.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield seen
        server.shutdown()
        thread.join()


def prepared(cli: Cli) -> tuple[str, str, str]:
    """An application, its key, and a payload."""
    app_id = cli("applications", "add", "Shop").stdout.strip()
    key = cli(
        "applications", "key", app_id, "--scope", "messages:read", "--scope", "messages:body"
    ).stdout.strip()
    return app_id, key, json.dumps(cli.json("topics", "show", TOPIC)["example"])


def test_messages_come_signed_and_survive_a_restart(serving, tmp_path, sink):
    """Each message once: those from before are not repeated, none is lost while the hub is away."""
    folder = tmp_path / "data"
    served = serving(folder)
    cli, port = served.cli, served.url.rpartition(":")[2]
    app_id, key, payload = prepared(cli)

    def publish(topic=TOPIC, data=payload):
        return cli("publish", topic, "--application", app_id, "--data", data).stdout.strip()

    before = publish()
    (tmp_path / "key").write_text(key)
    listening = cli.start(
        "listen", "--api", served.url, "--key", f"file:{tmp_path / 'key'}",
        "--forward-to", sink.url, "--topic", TOPIC, "--limit", "3",
    )  # fmt: skip
    signing = listening.stdout.readline().strip()
    while "Listening" not in listening.stderr.readline():
        pass
    other = publish(
        "orders_status", json.dumps(cli.json("topics", "show", "orders_status")["example"])
    )
    first = publish()
    eventually(lambda: sink.ids, what="the first message")
    served.stop()
    sink.status = 500
    away = publish()
    serving(folder, INKWIRE_PORT=port)
    eventually(lambda: len(sink.ids) == 2, what="the message of the time between")
    last = publish()
    out, err = listening.communicate(timeout=90)
    assert sink.ids == [first, away, last]
    assert not {before, other} & set(sink.ids)
    for headers, body in sink.got:
        Webhook(signing).verify(body, headers)
        assert body == payload.encode()
    assert "does not answer" in err
    assert "answers again" in err
    assert listening.returncode == 0
    lines = out.splitlines()
    assert ["200 OK" in lines[0], "500" in lines[1], TOPIC in lines[2]] == [True] * 3
    assert key not in out + err


def test_a_wrong_key_or_address_is_told_at_once(served, sink):
    """Asking again would not help."""
    options = ("--forward-to", sink.url)
    said = served.cli("listen", "--api", served.url, "--key", "ink_wrong", *options, code=1).stderr
    assert "API key" in said
    said = served.cli("listen", "--api", sink.url, "--key", "ink_x", *options, code=1).stderr
    assert "answers 501" in said or "no hub" in said
    assert served.cli("listen", "--api", "nonsense", "--key", "x", *options, code=2)


def test_it_can_begin_earlier_and_ends_on_ctrl_c(served, sink):
    """--since brings what was there before, as JSON lines; nothing is left behind."""
    app_id, key, payload = prepared(served.cli)
    early = served.cli("publish", TOPIC, "--application", app_id, "--data", payload).stdout.strip()
    listening = served.cli.start(
        "listen", "--api", served.url, "--key", key, "--forward-to", sink.url,
        "--since", "-1h", "--json",
    )  # fmt: skip
    line = json.loads(listening.stdout.readline())
    assert (line["message"], line["topic"], line["status"]) == (early, TOPIC, 200)
    listening.send_signal(signal.SIGINT)
    _, err = listening.communicate(timeout=60)
    assert listening.returncode == 130
    assert "Traceback" not in err
