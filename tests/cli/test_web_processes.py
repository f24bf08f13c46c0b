"""Several web processes on one address: `INKWIRE_WEB_PROCESSES`."""

import os
import re
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from cli.kit import KEY, Cli, eventually, gone, start
from inkwire.cli.answering import bind
from inkwire.cli.supervisor import EXIT_CONFIG
from inkwire.errors import ConfigError

ACCEPTED = re.compile(r"^inkwire_ingest_accepted_total ([0-9.]+)$", re.MULTILINE)


def _connect(port, count):
    """So many connections at once; which process has each is seen in /proc by nobody but them."""
    return [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(count)]


def _accepted(url, key):
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return float(ACCEPTED.search(answer.read().decode())[1])


def _sockets(pid):
    """Inodes of the sockets that a process holds."""
    links = (str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir())
    return {link for link in links if link.startswith("socket:")}


@pytest.fixture
def pair(tmp_path, serving):
    """A hub with two web processes and one source, and a key that may read its metrics."""
    cli = Cli(tmp_path / "data")
    cli("migrate")
    # Before they start: a new source is known to each of them within a second only.
    cli("sources", "create", "orders", "--provider", "boxc", "--secret", f"key={KEY}")
    running = serving(cli.folder, INKWIRE_WEB_PROCESSES="2")
    key = cli.json("keys", "create", "metrics", "--scope", "events:read")["key"]
    return running, key


def test_connections_are_shared_out_and_counted_together(pair):
    """Both take some of them, any of them answers, and `/metrics` tells the sum."""
    running, key = pair
    port = int(running.url.rpartition(":")[2])
    webs = running.ready["web_pids"]
    assert len(set(webs)) == 2
    assert running.ready["web_pid"] == webs[0]
    before = [len(_sockets(pid)) for pid in webs]
    held = _connect(port, 64)
    # Of 64 connections none at one of them would be a chance of one in 2 to the 63.
    eventually(
        lambda: all(len(_sockets(pid)) > was for pid, was in zip(webs, before, strict=True)),
        what="a connection at each",
    )
    for one in held:
        one.close()
    for _ in range(10):
        sent = running.cli.json("send", "boxc", f"{running.url}/in/orders", "--secret", KEY)
        assert sent["ok"]
    for _ in range(6):
        eventually(lambda: _accepted(running.url, key) == 10, what="the sum")
    assert len(running.cli.json("events", "list")) == 10
    assert running.stop()[0] == 0
    assert all(gone(pid) for pid in webs)


@pytest.mark.parametrize("which", [0, 1])
def test_one_that_dies_is_not_missed_and_comes_back(pair, which):
    """The other one takes all connections meanwhile; the new one joins it on the same port."""
    running, key = pair
    send = ("send", "boxc", f"{running.url}/in/orders", "--secret", KEY)
    assert running.cli.json(*send)["ok"]
    eventually(lambda: sum(_tally(running.folder, n) for n in (1, 2)) == 1, what="it in a file")
    pid = running.ready["web_pids"][which]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: gone(pid), what="its death")
    for _ in range(10):
        assert running.cli.json(*send)["ok"], "who is dead takes no connections"
    eventually(lambda: len(_webs(running)) == 2, what="the second process")
    eventually(lambda: _accepted(running.url, key) == 11, what="no count lost")
    code, _, err = running.stop()
    assert code == 0
    assert err.count("serve.child_died") == 1


def _webs(running):
    pid = running.ready["pid"]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = [Path(f"/proc/{child}/cmdline").read_text().split("\0") for child in children]
    return [line for line in lines if "--number" in line]


def _tally(folder, number):
    [path] = [*folder.glob(f"tallies/**/{number}.json")] or [None]
    found = re.search(r'"accepted": (\d+)', path.read_text()) if path else None
    return int(found[1]) if found else 0


def test_two_hubs_on_one_folder_count_apart(pair, serving):
    """Who starts there, to take over, drops no count of those on the first address."""
    running, key = pair
    send = ("send", "boxc", f"{running.url}/in/orders", "--secret", KEY)
    assert running.cli.json(*send)["ok"]
    eventually(lambda: sum(_tally(running.folder, n) for n in (1, 2)) == 1, what="it in a file")
    other = serving(running.folder, INKWIRE_WEB_PROCESSES="2")
    for _ in range(8):
        assert _accepted(other.url, key) == 0
        assert _accepted(running.url, key) == 1
    assert other.stop()[0] == 0
    assert running.stop()[0] == 0


def test_another_hub_cannot_join(tmp_path, pair):
    """Its webhooks would go to either of them: it is told that the port is taken."""
    running, _ = pair
    port = running.url.rpartition(":")[2]
    process, reading = start(tmp_path / "other", "--port", port, INKWIRE_WEB_PROCESSES="2")
    _, err = process.communicate(timeout=60)
    os.close(reading)
    assert process.returncode == EXIT_CONFIG
    assert f"Port {port} on 127.0.0.1 is in use" in err


def test_an_address_is_shared_only_by_who_opened_it():
    """A socket that joins gets nowhere beside one that listens alone."""
    with bind("127.0.0.1", 0) as alone:
        alone.listen()
        port = alone.getsockname()[1]
        with pytest.raises(ConfigError, match="in use"):
            bind("127.0.0.1", port, join=True, patience_s=0)
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with bind("127.0.0.1", port, join=True, patience_s=0) as other:
            other.listen()
        with pytest.raises(ConfigError, match="in use"):
            bind("127.0.0.1", port, patience_s=0)
