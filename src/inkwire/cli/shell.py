"""What every command shares: settings, the opened hub, and how an error meets a person.

Exit codes: 0 done, 1 failed or a negative verdict, 2 wrong input or configuration, 130 Ctrl-C.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from inkwire.errors import ConfigError, InkwireError, InvalidInput, NotFound

if TYPE_CHECKING:
    from inkwire.config import Settings
    from inkwire.hub import Hub
    from inkwire.model.access import Caller


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The options of `inkwire` itself, before any command."""

    data_dir: Path | None = None
    debug: bool = False


class Group(TyperGroup):
    """The root group: turns our errors into one clear line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; with --debug every error keeps its traceback."""
        try:
            return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if _debug(ctx):
                raise
            raise typer.Exit(told(error)) from None


def _debug(ctx: Any) -> bool:
    return isinstance(ctx.obj, Options) and ctx.obj.debug


def told(error: Exception) -> int:
    """Says the error on stderr, without a traceback; returns the exit code that goes with it."""
    if isinstance(error, InvalidInput) and error.fields:
        fail("This does not fit:")
        for path, text in error.fields.items():
            typer.echo(f"  {path}: {text}", err=True)
    elif isinstance(error, InkwireError):
        fail(error.message)
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}.")
    else:
        fail(
            f"Inkwire met a defect of its own ({type(error).__name__}: {error}). "
            "Run it again as `inkwire --debug …` and report what it prints."
        )
    return 2 if isinstance(error, InvalidInput | ConfigError) else 1


def fail(text: str) -> None:
    """One line on stderr, red on a terminal."""
    typer.secho(text, fg=typer.colors.RED, err=True)


def note(text: str) -> None:
    """A remark on stderr, so that stdout stays what was asked for."""
    typer.secho(text, fg=typer.colors.YELLOW, err=True)


def options(ctx: typer.Context) -> Options:
    """The root options, also when a command is called without the root (in a test)."""
    return ctx.obj if isinstance(ctx.obj, Options) else Options()


def settings_of(ctx: typer.Context, **overrides: object) -> "Settings":
    """Settings from the environment and the root options. Raises ConfigError."""
    from inkwire.config import load_settings

    return load_settings(**({"data_dir": options(ctx).data_dir} | overrides))


@contextmanager
def opened(ctx: typer.Context) -> "Iterator[Hub]":
    """The hub on the local store, checked. Raises ConfigError, StoreOutdated, CipherError."""
    settings = settings_of(ctx)
    if settings.database_url is None and not (settings.data_dir / "inkwire.db").is_file():
        raise ConfigError(
            f"There is no store in {settings.data_dir.absolute()} yet. Run `inkwire serve` or "
            "`inkwire migrate` first, or name the right folder with --data-dir."
        )
    from inkwire.hub import open_hub

    logs_to_stderr()
    with open_hub(settings) as hub:
        hub.store.check()
        yield hub


def logs_to_stderr() -> None:
    """Keeps log lines out of what a command prints; `serve` sets up logs of its own."""
    import structlog

    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def operator() -> "Caller":
    """Who acts on the command line: the machine's operator, with every scope."""
    from inkwire.access.gate import CLI

    return CLI


def pairs(given: list[str], *, what: str) -> dict[str, str]:
    """`key=value` options as a mapping. Raises InvalidInput for one without `=`."""
    found: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InvalidInput(f"{what} takes key=value, not {text!r}.")
        found[key] = value
    return found


def read_bytes(path: str) -> bytes:
    """The content of a file, or of stdin for `-`. Raises NotFound if there is no such file."""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}; `-` reads standard input.") from None
    except IsADirectoryError:
        raise InvalidInput(f"{path} is a folder; name a file, or `-` for standard input.") from None


def given_data(text: str) -> bytes:
    """A payload as it is given: `@FILE`, `-` for stdin, or the text itself. Raises NotFound."""
    if text == "-":
        return read_bytes("-")
    return read_bytes(text[1:]) if text.startswith("@") else text.encode()


def first_line(path: str) -> str:
    """A secret out of a file: its first line. Raises NotFound, and InvalidInput if it is empty."""
    lines = read_bytes(path).decode("utf-8", "replace").splitlines()
    if not lines or not lines[0].strip():
        raise InvalidInput(f"{path} is empty; its first line must be the secret.")
    return lines[0].strip()


def secret_text(given: str) -> str:
    """A secret as it is given: `env:NAME`, `file:PATH` (first line), or the text itself.

    Raises InvalidInput for a variable that is not set, NotFound for a file that is not there.
    """
    kind, _, name = given.partition(":")
    if kind == "env" and name:
        if name not in os.environ:
            raise InvalidInput(f"The environment variable {name} is not set.")
        return os.environ[name]
    return first_line(name) if kind == "file" and name else given


def confirmed(question: str, *, yes: bool) -> None:
    """Asks before what cannot be undone; --yes answers. Raises InvalidInput without a terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(f"{question} Say --yes to go ahead without being asked.")
    if not typer.confirm(question):
        raise typer.Exit(1)


def examples(*lines: str) -> str:
    """The `Examples` part of a command's help, one command a line."""
    return "\n".join(["Examples:", *(f"  $ {line}" for line in lines)]).replace("[", "\\[")
