"""The command `inkwire` and where each group of commands hangs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from inkwire import __version__
from inkwire.cli.contents import Loaded, stand_ins
from inkwire.cli.shell import Group, Options


class Root(Group):
    """The root group: it lists its commands without loading them."""

    def __init__(self, **attributes: Any) -> None:
        """What Typer gives."""
        super().__init__(**attributes)
        self.commands = Loaded()

    def list_commands(self, ctx: Any) -> list[str]:
        """The names in the order of the help."""
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Shows the help."""
        with self._standing_in():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """What a shell may offer for the beginning of a command."""
        with self._standing_in():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _standing_in(self) -> Iterator[None]:
        commands, self.commands = self.commands, dict(stand_ins())
        try:
            yield
        finally:
            self.commands = commands


app = typer.Typer(
    name="inkwire",
    cls=Root,
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
