"""`inkwire doctor` finds what an operator gets wrong, and says what to do about it."""

import http.server
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cli.kit import KEY, eventually
from inkwire.cli import checks
from inkwire.cli.reachability import Heard, _clock
from inkwire.clock import ManualClock
from inkwire.config import load_settings
from inkwire.hub import open_hub

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def _of(found, about):
    return [check for check in found["checks"] if check["about"] == about]


def _examine(cli, *options, code=0):
    return cli.json("doctor", *options, code=code)


def test_a_fresh_store(cli):
    """What a newcomer still has to do are warnings, each with its advice; nothing fails."""
    found = _examine(cli, "--offline")
    assert found["ok"] is True
    assert _of(found, "durability")[0]["text"] == "journal wal, synchronous full"
    assert _of(found, "master key")[0]["level"] == "ok"
    for about, advice in (
        ("sign-in", "users add"),
        ("worker", "inkwire serve"),
        ("public address", "https"),
        ("sources", "sources create"),
    ):
        (check,) = _of(found, about)
        assert check["level"] == "warn"
        assert advice in check["advice"]


def test_lines_for_people(cli):
    """Each line begins with its verdict; the advice stands under it; a sum at the end."""
    lines = cli("doctor", "--offline").stdout.splitlines()
    assert all(line[:4].strip() in {"ok", "warn", "fail", ""} for line in lines[:-1])
    assert any("→" in line for line in lines)
    assert "0 failed" in lines[-1]


def test_no_store(no_store):
    """Without a store it fails and says what makes one."""
    no_store.folder.mkdir()
    (check,) = _of(_examine(no_store, "--offline", code=1), "store")
    assert "inkwire serve" in check["advice"]


def test_no_folder(no_store):
    """Without a data folder it fails."""
    assert _of(_examine(no_store, "--offline", code=1), "data folder")[0]["level"] == "fail"


def test_a_master_key_that_others_can_read(cli):
    """A key file with wide rights fails with the chmod to run."""
    (cli.folder / "master.key").chmod(0o644)
    (check,) = _of(_examine(cli, "--offline", code=1), "master key")
    assert "chmod 600" in check["text"]


def test_the_wrong_master_key(cli):
    """A key that does not open the store fails, naming the key that would."""
    cli.environment["INKWIRE_MASTER_KEY"] = cli("master-key", "new").stdout.strip()
    (check,) = _of(_examine(cli, "--offline", code=1), "store")
    assert "master key" in check["text"]


def test_a_folder_that_others_can_read(cli):
    """The data folder's rights are looked at."""
    cli.folder.chmod(0o755)
    (check,) = _of(_examine(cli, "--offline"), "data folder")
    assert (check["level"], check["advice"]) == ("warn", f"chmod 700 {cli.folder}")


@pytest.mark.parametrize(("reserve", "level"), [(0, "ok"), (2**62, "fail")])
def test_disk(tmp_path, reserve, level):
    """Below the reserve nothing is stored: that fails."""
    assert checks.disk(tmp_path, reserve).level == level


def test_little_room(tmp_path):
    """A little above the reserve is a warning."""
    free = checks.shutil.disk_usage(tmp_path).free
    assert checks.disk(tmp_path, free // 2).level == "warn"


def test_sources(cli):
    """A paused source warns; one whose last secret ends soon warns; one without a secret fails."""
    cli("sources", "create", "s", "--provider", "box", "--secret", f"primary={KEY}")
    cli("sources", "pause", "s")
    clock = ManualClock(datetime.now(UTC))
    settings = load_settings(data_dir=cli.folder)
    with open_hub(settings, clock=clock) as hub:

        def said():
            return [(check.level.value, check.text) for check in checks.sources(hub)]

        assert [level for level, _ in said()] == ["warn", "ok"]
        assert "paused" in said()[0][1]
        source = hub.desk.get(checks.CLI, "s")
        ends = clock.now() + timedelta(days=2)
        secret = replace(source.secrets[0], expires_at=ends)
        ending = list(checks._expiring(replace(source, secrets=(secret,)), "source s", clock.now()))
        assert "in 2 d" in ending[0].text
        hub.desk.resume(checks.CLI, "s")
        assert list(checks._expiring(source, "source s", clock.now())) == []


def test_a_secret_that_does_not_open(cli):
    """The source that it belongs to fails, by name; the others are still looked at."""
    for name in ("broken", "sound"):
        cli("sources", "create", name, "--provider", "box", "--secret", f"primary={KEY}")
    with sqlite3.connect(cli.folder / "inkwire.db") as conn:
        conn.execute("UPDATE source_secrets SET sealed = x'0101' WHERE source_id = 'broken'")
    conn.close()
    found = _examine(cli, "--offline", code=1)
    shut = _of(found, "source broken")[0]
    assert shut["level"] == "fail"
    assert "does not open" in shut["text"]
    assert "rotate broken" in shut["advice"]
    assert [check["level"] for check in _of(found, "source sound")] == ["ok"]


def test_a_source_whose_secrets_have_ended(cli):
    """Its every request is refused: that fails, with the command that mends it."""
    cli("sources", "create", "s", "--provider", "boxc")
    settings = load_settings(data_dir=cli.folder)
    with open_hub(settings) as hub:
        source = hub.desk.get(checks.CLI, "s")
        hub.store.sources.remove_secret(
            "s", source.secrets[0].id, audit=hub.desk._audit.entry(checks.CLI, "test", "s")
        )
        (check,) = checks.sources(hub)
    assert check.level == "fail"
    assert check.advice == "inkwire sources rotate s"


def test_clock():
    """Another clock than the public address's is told, with how far and which way."""
    (fine,) = _clock(Heard(status=404, date=NOW), NOW + timedelta(seconds=20))
    (ahead,) = _clock(Heard(status=404, date=NOW), NOW + timedelta(seconds=90))
    assert fine.level == "ok"
    assert (ahead.level, "90 s ahead" in ahead.text) == ("warn", True)
    assert list(_clock(Heard(status=404, date=None), NOW)) == []


def test_a_running_hub(served):
    """The worker and the web process are seen, and the public address proves to be this hub's."""
    cli = served.cli
    cli.environment["INKWIRE_PUBLIC_URL"] = served.url
    found = _examine(cli)
    levels = {check["about"]: check["level"] for check in found["checks"]}
    assert levels["worker"] == levels["web"] == levels["sign-in"] == levels["clock"] == "ok"
    assert "arrives at this hub" in _of(found, "reachability")[0]["text"]
    assert any("http" in check["text"] for check in _of(found, "public address"))


@pytest.fixture
def stranger():
    """A web server that is not the hub and answers everything with 404."""
    server = http.server.HTTPServer(("127.0.0.1", 0), _Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class _Stranger(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_error(404)

    def log_message(self, *_):
        """Says nothing."""


def test_an_address_of_somebody_else(served, stranger):
    """404 from another server is not 404 from us: what was sent did not arrive."""
    cli = served.cli
    cli.environment["INKWIRE_PUBLIC_URL"] = stranger
    (check,) = _of(_examine(cli, code=1), "reachability")
    assert check["level"] == "fail"
    assert "did not arrive" in check["text"]


@pytest.mark.parametrize(
    ("address", "word"),
    [("http://127.0.0.1:9", "does not answer"), ("http://nowhere.invalid", "does not resolve")],
)
def test_an_address_that_nobody_answers(cli, address, word):
    """No server, and no such name."""
    cli.environment["INKWIRE_PUBLIC_URL"] = address
    found = _examine(cli, code=1)
    assert any(word in check["text"] for check in found["checks"])


def test_many_refusals_are_worth_a_look(served):
    """A source that refuses much has the wrong secret, or is under attack."""
    cli = served.cli
    cli("sources", "create", "b", "--provider", "box", "--secret", f"primary={KEY}")
    eventually(
        lambda: cli.json("send", "box", "--source", "b", "--tamper", code=1)["status"] == 401
    )
    cli("send", "box", "--source", "b", "--tamper", "--count", "25", code=1)
    eventually(lambda: len(cli.json("rejected", "list", "--source", "b")) >= 20)
    found = _of(_examine(cli), "source b")
    assert any("bad_signature" in check["text"] for check in found)
