"""`serve`, and the processes that it supervises: `web` and `worker`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from inkwire import __version__
from inkwire.cli.shell import examples, options, settings_of
from inkwire.cli.supervisor import Child, Supervisor, python_command

#: From arguments to a command line that runs this installation.
Command = Callable[..., list[str]]

HostOption = Annotated[
    str | None, typer.Option("--host", help="Address to listen on, before INKWIRE_HOST.")
]
PortOption = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="Port, before INKWIRE_PORT; 0: any free one."),
]
ReadyFd = Annotated[
    int | None, typer.Option("--ready-fd", hidden=True, help="File descriptor for a ready line.")
]
Lifeline = Annotated[
    bool,
    typer.Option("--lifeline", hidden=True, help="The end of standard input means: stop."),
]


def register(app: typer.Typer) -> None:
    """Hangs the commands of this module into `app`."""
    app.command(
        rich_help_panel="Run",
        epilog=examples(
            "inkwire serve", "inkwire --data-dir /srv/inkwire serve --host 0.0.0.0 --port 9000"
        ),
    )(serve)
    app.command(rich_help_panel="Run", epilog=examples("inkwire web --port 8080"))(web)
    app.command(rich_help_panel="Run", epilog=examples("inkwire worker"))(worker)
    app.command(hidden=True)(prepare)


def serve(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    host: HostOption = None,
    port: PortOption = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="File to write a JSON object to (addresses, process ids) when ready."),
    ] = None,
    ready_fd: ReadyFd = None,
    lifeline: Lifeline = False,
) -> None:
    """Run the whole hub: migrate the store, then keep a web and a worker process running.

    Applies inkwire.toml if it is there, and on an empty store makes the first administrator and
    prints the sign-in once. Stops in good order on Ctrl-C or SIGTERM.
    """
    environment = _environment(ctx, host, port)
    run = partial(python_command, *(["--debug"] if options(ctx).debug else []))
    service = _Service(
        environment, run=run, ready_file=ready_file, ready_fd=ready_fd, lifeline=lifeline
    )
    raise typer.Exit(service.run())


def web(
    ctx: typer.Context,
    host: HostOption = None,
    port: PortOption = None,
    ready_fd: ReadyFd = None,
    lifeline: Lifeline = False,
) -> None:
    """Run one web process: ingest, API and console. For many machines on PostgreSQL.

    The store must be migrated (`inkwire migrate`); nothing listens before that.
    """
    settings = settings_of(ctx, host=host, port=port)
    _log_as(settings)
    from inkwire.cli.processes import run_web, sayer

    run_web(settings, lifeline=lifeline, say=sayer(ready_fd))


def worker(ctx: typer.Context, ready_fd: ReadyFd = None, lifeline: Lifeline = False) -> None:
    """Run one worker process: it hands stored events on. Several need PostgreSQL.

    On SQLite a second worker waits until the first one ends, then takes over.
    """
    settings = settings_of(ctx)
    _log_as(settings)
    from inkwire.cli.processes import run_worker, sayer

    run_worker(settings, lifeline=lifeline, say=sayer(ready_fd))


def prepare(ctx: typer.Context, result_fd: Annotated[int, typer.Option(hidden=True)] = 1) -> None:
    """Make the store ready for `serve` and tell it what to print (a short-lived child of its)."""
    settings = settings_of(ctx)
    _log_as(settings)
    from inkwire.cli.preparing import prepared

    with os.fdopen(os.dup(result_fd), "w") as result:
        json.dump(prepared(settings), result)


def _log_as(settings: Any) -> None:
    from inkwire.logs import set_up_logging

    set_up_logging(level=settings.log_level, style=settings.log_format)


def _environment(ctx: typer.Context, host: str | None, port: int | None) -> dict[str, str]:
    """This process's environment with what the command line says."""
    data_dir = options(ctx).data_dir
    given = {
        "INKWIRE_DATA_DIR": None if data_dir is None else str(data_dir),
        "INKWIRE_HOST": host,
        "INKWIRE_PORT": None if port is None else str(port),
    }
    return dict(os.environ) | {key: value for key, value in given.items() if value is not None}


def _prepare(run: Command, environment: Mapping[str, str]) -> dict[str, Any]:
    """Runs `inkwire prepare` to its end. It imports much; this process stays small.

    If it fails it has said why, and this process ends with its exit code.
    """
    reading, writing = os.pipe()
    with subprocess.Popen(  # noqa: S603 # our own command line
        run("prepare", "--result-fd", str(writing)),
        pass_fds=(writing,),
        env=dict(environment),
    ) as child:
        os.close(writing)
        with os.fdopen(reading, "rb") as result:
            text = result.read()
    if child.returncode != 0:
        raise typer.Exit(child.returncode if child.returncode > 0 else 1)
    facts: dict[str, Any] = json.loads(text)
    return facts


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """Where this hub is reached."""

    base: str

    @property
    def console(self) -> str:
        """The console's address."""
        return f"{self.base}/console/"

    @property
    def ingest(self) -> str:
        """Pattern of the sources' addresses."""
        return f"{self.base}/in/{{source}}"


class _Service:
    """One `inkwire serve`: its two children, and what it tells about them."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        run: Command,
        ready_file: Path | None,
        ready_fd: int | None,
        lifeline: bool,
    ) -> None:
        self._environment, self._run = environment, run
        self._ready_file, self._ready_fd = ready_file, ready_fd
        self._facts: dict[str, Any] = {}
        self._port: int | None = None
        self._web = Child(name="web", command=self._web_command)
        self._worker = Child(name="worker", command=self._worker_command)
        self._supervisor = Supervisor(
            [self._web, self._worker],
            report=self._report,
            on_ready=self._announce,
            environment=environment,
            lifeline=lifeline,
        )

    def run(self) -> int:
        # The web process takes longest to load; it does so while the store is made ready.
        self._supervisor.warm_up(self._web)
        try:
            self._facts = _prepare(self._run, self._environment)
        except BaseException:
            self._supervisor.let_go(self._web)
            raise
        return self._supervisor.run(grace_s=float(self._facts["grace_s"]))

    def _web_command(self, ready: int) -> Sequence[str]:
        # With port 0 the first start finds a port; a restart must keep it.
        port = () if self._port is None else ("--port", str(self._port))
        return self._run("web", *port, "--lifeline", "--ready-fd", str(ready))

    def _worker_command(self, ready: int) -> Sequence[str]:
        return self._run("worker", "--lifeline", "--ready-fd", str(ready))

    def _report(self, event: str, *, level: str = "info", **facts: object) -> None:
        """A line in the log's form, without the libraries behind it."""
        if self._facts["log_json"]:
            at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            line = {**facts, "event": event, "level": level, "timestamp": at}
            typer.echo(json.dumps(line, ensure_ascii=False), err=True)
            return
        said = " ".join(f"{key}={value}" for key, value in facts.items())
        colour = {"error": typer.colors.RED, "warning": typer.colors.YELLOW}.get(level)
        typer.secho(f"{level:8} {event}  {said}", fg=colour, err=True)

    def _announce(self) -> None:
        self._port = int(self._web.said["port"])
        host = str(self._web.said["host"])
        host = reached_at(host)
        local = f"http://{f'[{host}]' if ':' in host else host}:{self._port}"
        here = Addresses(base=self._facts["public_url"] or local)
        ready = {
            "pid": os.getpid(),
            "url": local,
            "console": here.console,
            "ingest": here.ingest,
            "web_pid": self._web.pid,
            "worker_pid": self._worker.pid,
        }
        for line in start_block(self._facts, here, worker=str(self._worker.said.get("state"))):
            typer.echo(line)
        sys.stdout.flush()
        text = json.dumps(ready) + "\n"
        if self._ready_file is not None:
            part = self._ready_file.with_name(self._ready_file.name + ".part")
            part.write_text(text, encoding="utf-8")
            part.replace(self._ready_file)
        if self._ready_fd is not None:
            os.write(self._ready_fd, text.encode())


def reached_at(host: str) -> str:
    """An address that reaches a process on this machine which listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 # compared, not bound


def start_block(facts: Mapping[str, Any], here: Addresses, *, worker: str) -> list[str]:
    """The lines that greet an operator: addresses, sign-in, store, and what is worth a warning."""
    sign_in = facts["sign_in"]
    rows = [
        ("Console", here.console),
        *([("Sign in", f"{sign_in['name']} / {sign_in['password']}")] if sign_in else []),
        ("Webhooks", here.ingest),
        ("Store", facts["store"]),
        ("Data", facts["data_dir"]),
        ("Sources", facts["sources"]),
    ]
    lines = [typer.style(f"Inkwire {__version__} is ready.", bold=True), ""]
    lines += [f"  {label:9} {value}" for label, value in rows]
    warnings = list(facts["warnings"])
    if sign_in:
        lines += [
            "",
            "  This password is shown only this once. Change it in the console or with "
            f"`inkwire users password {sign_in['name']}`.",
        ]
    if worker == "waiting":
        warnings.append("Another worker runs on this data folder; ours waits until it ends.")
    if warnings:
        lines += ["", *(typer.style(f"  ! {text}", fg=typer.colors.YELLOW) for text in warnings)]
    return [*lines, ""]
