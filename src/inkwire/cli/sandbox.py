"""`inkwire sandbox`: the vendors' stand-ins, as a process of its own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkwire.cli.shell import examples, options

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

#: Where the state is unless a folder is named.
FOLDER = "inkwire-sandbox"


def register(app: typer.Typer) -> None:
    """Hangs the command into `app`."""
    app.command(
        rich_help_panel="Try it",
        epilog=examples("inkwire sandbox", "inkwire sandbox --port 0 --data-dir /tmp/box"),
    )(sandbox)


def sandbox(  # noqa: PLR0917 - the options of one command
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")
    ] = 4010,
    data_dir: Annotated[
        Path | None, typer.Option(help=f"Folder of its state; {FOLDER} unless named.")
    ] = None,
    clock_file: Annotated[
        Path | None,
        typer.Option(help="File with the seconds that its clock is shifted by, as a hub's may be."),
    ] = None,
    json_ready: Annotated[
        bool,
        typer.Option("--json-ready", help="Print one line of JSON when ready: address and keys."),
    ] = False,
) -> None:
    """Run a stand-in for the vendors: Box with signing, and Salesforce, with faults at will.

    Nothing leaves this machine but webhooks to the addresses that are registered in it.
    """
    import asyncio
    import socket

    from inkwire.errors import ConfigError
    from inkwire.providers.registry import registry
    from inkwire.sandbox.app import build, serve

    folder = data_dir or options(ctx).data_dir or Path(FOLDER)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol must be named: else asyncio leaves Nagle's delay of 40 ms an answer on.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise ConfigError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{listening.getsockname()[1]}"
    built = build(registry(), folder=folder, url=url, base=_base(clock_file))

    def ready() -> None:
        if json_ready:
            typer.echo(json.dumps({"url": url, **built.ready}))
            return
        typer.echo(f"Sandbox at {url}, its state in {folder}.")
        if host not in ("127.0.0.1", "::1", "localhost"):
            typer.echo("  Others may reach it, and it asks nobody who they are: never put it on")
            typer.echo("  the internet, and nothing real into it.")
        typer.echo(f"  Inbox    {url}/")
        for name in built.ready:
            typer.echo(f"  {name.title():8} {url}/{name} (ids and keys)")

    asyncio.run(serve(built, listening, ready=ready))


def _base(clock_file: Path | None) -> "Callable[[], datetime]":
    """The clock that the sandbox shifts."""
    from inkwire.clock import ShiftedClock, SystemClock

    return (ShiftedClock(clock_file) if clock_file else SystemClock()).now
