"""`inkwire version`."""

import typer

from inkwire import __version__


def register(app: typer.Typer) -> None:
    """Hangs the command into `app`."""
    app.command(rich_help_panel="Look after it")(version)


def version() -> None:
    """Show the version of Inkwire."""
    typer.echo(__version__)
