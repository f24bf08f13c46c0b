"""`inkwire serve`, `web` and `worker` as real processes: start, stop, death and takeover."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cli.kit import INKWIRE, KEY, Cli, eventually, gone, line_of, start
from inkwire.cli.supervisor import EXIT_CONFIG
from inkwire.config import load_settings
from inkwire.hub import open_hub


def _children(pid):
    """Process ids of the children, by their command."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if "inkwire" in words:  # not so while it is being replaced, or waits to be reaped
                found[words[words.index("inkwire") + 1]] = int(child)
    return found


def _healthy(url):
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_first_start_and_graceful_stop(tmp_path, serving):
    """The first start makes the store and the sign-in, prints where to go, and ends in order."""
    before = time.monotonic()
    running = serving(tmp_path / "data", "--ready-file", str(tmp_path / "ready"))
    print(f"ready after {time.monotonic() - before:.2f} s")  # the bar is 2 s; noted, not gated
    assert _healthy(running.url)
    assert json.loads((tmp_path / "ready").read_text()) == running.ready
    assert _children(running.ready["pid"]) == {
        "web": running.ready["web_pid"],
        "worker": running.ready["worker_pid"],
    }
    code, out, err = running.stop()
    assert code == 0, err
    assert running.ready["console"] in out
    assert f"{running.url}/in/{{source}}" in out
    assert "admin / " in out
    assert "INKWIRE_PUBLIC_URL" in out
    assert "web.stopped" in err
    assert "worker.stopped" in err
    assert all(gone(running.ready[name]) for name in ("web_pid", "worker_pid"))
    assert out.count("admin / ") == 1
    assert out.rpartition("admin / ")[2].split()[0] not in err


def test_second_start_shows_no_password_and_applies_the_file(tmp_path, serving):
    """The sign-in is shown once only; declared sources are there before anything listens."""
    cli = Cli(tmp_path / "data")
    cli("migrate")
    cli("users", "add", "root", "--role", "admin", "--password-file", "-", stdin="a long password")
    (cli.folder / "inkwire.toml").write_text(
        '[[source]]\nid = "declared"\nprovider = "boxc"\nsecrets = { key = "env:BOXC_KEY" }\n'
    )
    running = serving(cli.folder, BOXC_KEY=KEY)
    assert cli.json("send", "boxc", f"{running.url}/in/declared", "--secret", KEY)["ok"]
    code, out, _ = running.stop(signal.SIGINT)
    assert code == 0
    assert "Sign in" not in out
    assert "1 created" in out


def test_dead_children_come_back_and_all_end_with_the_supervisor(tmp_path, serving):
    """A killed worker or web process is started again, on the same port; kill -9 leaves nobody."""
    running = serving(tmp_path / "data")
    first = dict(running.ready)
    for name in ("worker", "web"):
        os.kill(first[f"{name}_pid"], signal.SIGKILL)
        eventually(
            lambda name=name: _children(first["pid"]).get(name) not in (None, first[f"{name}_pid"]),
            what=f"a new {name}",
        )
    eventually(lambda: _healthy(running.url), what="the same address")
    after = _children(first["pid"])
    code, _, err = running.stop(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert err.count("serve.child_died") == 2
    for pid in after.values():
        eventually(lambda pid=pid: gone(pid), what="the end of a child")
    with sqlite3.connect(tmp_path / "data" / "inkwire.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_a_second_worker_waits_and_takes_over(tmp_path):
    """On SQLite one worker runs; the next one takes over when it is killed."""
    cli = Cli(tmp_path / "data")
    cli("migrate")
    workers = []
    for _ in range(2):
        reading, writing = os.pipe()
        workers.append((_worker(cli, writing), reading))
        os.close(writing)
        said = json.loads(line_of(reading).splitlines()[0])
        workers[-1] += (said["state"],)
    (first, _, first_state), (second, ready, second_state) = workers
    assert (first_state, second_state) == ("ready", "waiting")
    first.kill()
    assert json.loads(line_of(ready))["state"] == "ready"
    second.terminate()
    outs = [process.communicate(timeout=20)[1] for process, *_ in workers]
    assert "worker.took_over" in outs[1]
    assert second.returncode == 0
    for _, reading, _ in workers:
        os.close(reading)


def _worker(cli, ready_fd):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("INKWIRE_")}
    return subprocess.Popen(
        [*INKWIRE, "worker", "--ready-fd", str(ready_fd)],
        pass_fds=(ready_fd,),
        env=clean | {"INKWIRE_DATA_DIR": str(cli.folder)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_taken_port(tmp_path):
    """A port that another program holds is named, with what to do, and exit code 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process, reading = start(tmp_path / "data", "--port", str(port))
        out, err = process.communicate(timeout=60)
    os.close(reading)
    assert process.returncode == EXIT_CONFIG
    assert f"Port {port} on 127.0.0.1 is in use" in err
    assert "Traceback" not in err
    # The first user is there by then, and nobody else will ever tell the password.
    with open_hub(load_settings(data_dir=tmp_path / "data")) as hub:
        token, _ = hub.gate.sign_in("admin", _password(out), remote="127.0.0.1")
        assert hub.gate.signed_in(token).user.name == "admin"


def _password(out):
    """What stands behind the first user's name."""
    return out.partition("admin / ")[2].split()[0]


_FACTS = {
    "sign_in": {"name": "admin", "password": "s3cret-once"},
    "web_processes": 1, "grace_s": 10, "log_json": False,
}  # fmt: skip
_SAID = f"os.write(int(sys.argv[1]), {(json.dumps({'prepared': _FACTS}) + chr(10)).encode()!r})"
#: A worker that has made the first user, and is stopped before the web process is ready.
_STOPPED_AFTER = f"""
import os, signal, sys
{_SAID}
os.read(0, 1)
os.kill(os.getppid(), signal.SIGTERM)
os.read(0, 1)
"""
#: One that is stopped at the moment between the first user and its word about it.
_STOPPED_BETWEEN = f"""
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.kill(os.getppid(), signal.SIGTERM)
os.read(0, 1)
{_SAID}
"""


#: One that is stopped while a process of its own, which has its ready pipe, goes on migrating.
_STOPPED_MIGRATING = """
import os, signal, sys, time
if os.fork() == 0:
    for fd in (0, 1, 2):
        os.close(fd)
    time.sleep(60)
    os._exit(0)
os.kill(os.getppid(), signal.SIGTERM)
os.read(0, 1)
"""


def test_stopped_while_it_migrates():
    """What a dead worker's migration still does is not waited for."""
    toy = [sys.executable, str(Path(__file__).with_name("toy_served.py")), _STOPPED_MIGRATING]
    done = subprocess.run(toy, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (143, "")


@pytest.mark.parametrize(("script", "code"), [(_STOPPED_AFTER, 0), (_STOPPED_BETWEEN, 143)])
def test_stopped_before_it_is_ready(script, code):
    """The first password is shown nevertheless, once: nobody could sign in otherwise."""
    toy = [sys.executable, str(Path(__file__).with_name("toy_served.py")), script]
    done = subprocess.run(toy, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert done.stdout.count("admin / s3cret-once") == 1
    assert "inkwire users password admin" in done.stdout
    assert "is ready" not in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("environment", "file", "word"),
    [
        ({"INKWIRE_LOG_LEVEL": "loud"}, "", "INKWIRE_LOG_LEVEL"),
        ({}, "[[source]]\nid = 'x'\n", "provider"),
        ({"INKWIRE_MASTER_KEY": "short"}, "", "INKWIRE_MASTER_KEY"),
    ],
)
def test_nothing_starts_on_a_wrong_configuration(tmp_path, environment, file, word):
    """One clear line, exit code 2, and no process left behind."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "inkwire.toml").write_text(file)
    process, reading = start(folder, **environment)
    out, err = process.communicate(timeout=60)
    os.close(reading)
    assert process.returncode == EXIT_CONFIG
    assert word in err
    assert out == ""
    assert "Traceback" not in err


def test_web_refuses_a_store_that_is_not_migrated(tmp_path):
    """`inkwire web` alone migrates nothing: it says what to run."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    done = subprocess.run(
        [*INKWIRE, "--data-dir", str(folder), "web", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "inkwire migrate" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_proxy_is_believed_only_if_trusted(tmp_path, serving):
    """The sender's address comes from X-Forwarded-For of a trusted proxy, of nobody else."""
    running = serving(tmp_path / "data", INKWIRE_TRUSTED_PROXIES="10.9.9.9")
    request = urllib.request.Request(
        f"{running.url}/in/none", data=b"{}", headers={"X-Forwarded-For": "203.0.113.7"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 404
    assert refused.value.headers.get("Server") is None
    refused.value.close()
    row = eventually(lambda: running.cli.json("rejected", "list", "--source", "none"))[0]
    assert row["remote"] == "127.0.0.1"
    assert running.stop()[0] == 0
