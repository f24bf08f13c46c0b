"""`serve`, `web` and `worker` as Typer shows and reads them; `service` is what they do."""

from pathlib import Path
from typing import Annotated

import typer

from inkwire.cli import service
from inkwire.cli.shell import examples, options

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
    code = service.serve(
        data_dir=options(ctx).data_dir,
        debug=options(ctx).debug,
        host=host,
        port=port,
        ready_file=ready_file,
        ready_fd=ready_fd,
        lifeline=lifeline,
    )
    raise typer.Exit(code)


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
    service.web(
        data_dir=options(ctx).data_dir, host=host, port=port, ready_fd=ready_fd, lifeline=lifeline
    )


def worker(ctx: typer.Context, ready_fd: ReadyFd = None, lifeline: Lifeline = False) -> None:
    """Run one worker process: it hands stored events on. Several need PostgreSQL.

    On SQLite a second worker waits until the first one ends, then takes over.
    """
    service.worker(data_dir=options(ctx).data_dir, ready_fd=ready_fd, lifeline=lifeline)
