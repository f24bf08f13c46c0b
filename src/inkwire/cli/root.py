"""The command `inkwire` and where each group of commands hangs."""

from pathlib import Path
from typing import Annotated

import typer

from inkwire import __version__
from inkwire.cli import (
    access,
    applications,
    connections,
    crm,
    deliveries,
    demo,
    doctor,
    events,
    evidence,
    integrations,
    listen,
    orders,
    runs,
    sandbox,
    send,
    serve,
    sources,
    store,
    verify,
    webhook_tries,
    webhooks,
)
from inkwire.cli.shell import Group, Options

app = typer.Typer(
    name="inkwire",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Inkwire: a self-hosted hub for signed events and signed documents.",
    epilog="Settings are environment variables, INKWIRE_*; see docs/reference/settings.md. "
    "New here? Try `inkwire demo`.",
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"inkwire {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the store and the master key, before INKWIRE_DATA_DIR."),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something fails.")
    ] = False,
    _version_flag: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Inkwire: a self-hosted hub for signed events and signed documents."""
    ctx.obj = Options(data_dir=data_dir, debug=debug)


# The order here is the order of `inkwire --help`.
for module in (
    serve,
    demo,
    send,
    verify,
    sources,
    events,
    orders,
    evidence,
    connections,
    integrations,
    crm,
    runs,
    applications,
    webhooks,
    webhook_tries,
    deliveries,
    listen,
    sandbox,
    access,
    store,
    doctor,
):
    module.register(app)


@app.command(rich_help_panel="Look after it")
def version() -> None:
    """Show the version of Inkwire."""
    typer.echo(__version__)
