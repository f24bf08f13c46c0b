"""What a benchmark runs on: a prepared store, the server under test, one round of load."""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from bench.wire import KEY, SOURCE
from inkwire.clock import SystemClock
from inkwire.config import Settings
from inkwire.ids import SortableIds
from inkwire.model.access import AuditEntry
from inkwire.model.source import Source
from inkwire.providers.registry import registry
from inkwire.providers.settings import check_settings
from inkwire.store.contract import NewSecret
from inkwire.store.open import migrate, open_store

#: The generator keeps to the last core; the server uses what it needs of the machine.
LAST_CORE = max(os.sched_getaffinity(0))


@dataclass(frozen=True, kw_only=True)
class Site:
    """A data folder, and a database if it is PostgreSQL."""

    data_dir: Path
    database_url: str | None = None
    #: Web processes on one address.
    processes: int = 1

    @property
    def settings(self):
        return Settings(data_dir=self.data_dir, database_url=self.database_url)

    def open(self):
        clock = SystemClock()
        return contextlib.closing(open_store(self.settings, clock=clock, ids=SortableIds(clock)))

    def prepare(self):
        """Migrates, and adds one Box source."""
        migrate(self.settings)
        clock = SystemClock()
        ids, now = SortableIds(clock), clock.now()
        source = Source(
            id=SOURCE,
            provider="box",
            name="Benchmark",
            settings=check_settings(registry().receiver("box").settings, {}),
            max_body_bytes=1024 * 1024,
            created_at=now,
            updated_at=now,
        )
        secret = NewSecret(id=ids.new("sec"), role="primary", value=KEY, created_at=now)
        audit = AuditEntry(
            id=ids.new("aud"), at=now, actor="cli", action="source.create", target=SOURCE
        )
        with self.open() as store:
            store.sources.create(source, [secret], audit=audit)
        return self

    @property
    def environment(self):
        own = {
            "INKWIRE_DATA_DIR": str(self.data_dir),
            "INKWIRE_PORT": "0",
            "INKWIRE_LOG_LEVEL": "error",
            "INKWIRE_WEB_PROCESSES": str(self.processes),
        }
        if self.database_url:
            own["INKWIRE_DATABASE_URL"] = self.database_url
        return {**os.environ, **own}


@contextlib.contextmanager
def sqlite_site(folder=None):
    """A fresh SQLite store on the disk that TMPDIR names."""
    root = Path(tempfile.mkdtemp(prefix="inkwire-bench-", dir=folder))
    try:
        yield Site(data_dir=root / "data").prepare()
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def postgres_site():
    """A fresh database: on the server that INKWIRE_TEST_POSTGRES_URL names, or the wheel's."""
    from tests.postgres_server import PostgresServer, own_server_url

    given = os.environ.get("INKWIRE_TEST_POSTGRES_URL")
    server = PostgresServer(given or own_server_url(Path(tempfile.gettempdir())))  # on the disk
    root = Path(tempfile.mkdtemp(prefix="inkwire-bench-"))
    try:
        with server.database() as url:
            yield Site(data_dir=root / "data", database_url=url).prepare()
    finally:
        shutil.rmtree(root, ignore_errors=True)


STORES = {"sqlite": sqlite_site, "postgresql": postgres_site}


@contextlib.contextmanager
def started(site, *command):
    """A process that says on a pipe when it is ready; ended by SIGTERM."""
    ready, ready_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--ready-fd", str(ready_end)],
        env=site.environment,
        pass_fds=(ready_end,),
        stdin=subprocess.DEVNULL,
    )
    os.close(ready_end)
    try:
        with os.fdopen(ready) as pipe:
            line = pipe.readline()
        if not line:
            raise RuntimeError(f"{command} did not start")
        yield process.pid, json.loads(line)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _serving(running, site, variant):
    """The servers under test on one address; their process ids, and the port."""
    first, said = running.enter_context(started(site, "bench.server", variant, "--number", "1"))
    port = str(said["port"])
    more = [
        started(site, "bench.server", variant, "--port", port, "--number", str(number), "--join")
        for number in range(2, site.processes + 1)
    ]
    return [first, *(running.enter_context(one)[0] for one in more)], port


def one_round(site, variant, *, processes=1, disturbers=(), **options):
    """Starts the server, loads it, stops it. The generator's figures, with CPU beside them.

    `processes`: so many web processes share the load.
    """
    with contextlib.ExitStack() as running:
        servers, port = _serving(running, replace(site, processes=processes), variant)
        pids = list(servers)
        pids += [running.enter_context(started(site, *what))[0] for what in disturbers]
        command = [sys.executable, "-m", "bench.load", "--port", str(port)]
        command += ["--cpu", str(LAST_CORE)]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        before, began = _Used.now(pids, processes), time.monotonic()
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        after, seconds = _Used.now(pids, processes), time.monotonic() - began
    found["others"] = round((after.others - before.others) / seconds / (os.cpu_count() or 1), 2)
    served = found["requests"] * (1 + options["warmup"] / options["seconds"])
    found["server_us"] = round((after.server - before.server) * 1e6 / max(1, served))
    return found


@dataclass(frozen=True, kw_only=True)
class _Used:
    """Seconds of CPU so far: by the server, and by what is not part of the benchmark."""

    server: float
    others: float

    @classmethod
    def now(cls, pids, servers):
        """`servers`: how many of `pids`, the first ones, are the server."""
        tick = os.sysconf("SC_CLK_TCK")
        fields = [int(n) for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        busy = (sum(fields) - fields[3] - fields[4]) / tick
        own = [_cpu_of(pid, tick) for pid in pids]
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = sum(own) + children.ru_utime + children.ru_stime
        return cls(server=sum(own[:servers]), others=busy - ours)


def _cpu_of(pid, tick):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / tick
