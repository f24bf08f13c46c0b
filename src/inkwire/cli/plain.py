"""Reads `serve`, `web` and `worker` without Typer: the commands that stay.

Typer and the other commands cost each of the three processes of a hub 7 MB and a tenth of a second
for what it never needs again. Only what is written out in full is understood here. For all else
(help, a mistake, a command that ends) `understood` gives None, and Typer reads the same arguments,
explains or runs the same functions of `service`.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from inkwire.cli import service

Reader = Callable[[str], Any]


def _port(text: str) -> int:
    number = _number(text)
    if number > 65535:
        raise ValueError
    return number


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError
    return int(text)


#: Options by name, with what reads their value; None: there is no value.
_ROOT: Mapping[str, Reader | None] = {"--data-dir": Path, "--debug": None}
_CHILD: Mapping[str, Reader | None] = {"--ready-fd": _number, "--lifeline": None}
_ADDRESS: Mapping[str, Reader | None] = {"--host": str, "--port": _port}
_COMMANDS: Mapping[str, tuple[Callable[..., int], Mapping[str, Reader | None]]] = {
    "serve": (service.serve, {**_ADDRESS, **_CHILD, "--ready-file": Path}),
    # The rest is between `serve` and its children; Typer does not know it.
    "web": (service.web, {**_ADDRESS, **_CHILD, "--number": _number, "--join": None}),
    "worker": (service.worker, {**_CHILD, "--prepare": None}),
}


def understood(arguments: Sequence[str]) -> "partial[int] | None":
    """What runs the command and gives its exit code; None: Typer shall read these arguments."""
    left = list(arguments)
    root = _options(left, _ROOT)
    if root is None or not left or left[0] not in _COMMANDS:
        return None
    command, options = _COMMANDS[left.pop(0)]
    given = _options(left, options)
    if given is None or left:
        return None
    debug = bool(root.get("debug"))
    return partial(_run, command, given={"debug": debug, **root, **given})


def _run(command: Callable[..., int], *, given: Mapping[str, Any]) -> int:
    try:
        return command(**given)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        if given["debug"]:
            raise
        from inkwire.cli.shell import told  # and with it Typer: it only has to say why

        return told(error)


def _options(left: list[str], known: Mapping[str, Reader | None]) -> dict[str, Any] | None:
    """Takes the options that `left` begins with out of it; None if one of them is unusual."""
    found: dict[str, Any] = {}
    while left and left[0].startswith("-"):
        name, equals, value = left.pop(0).partition("=")
        if name not in known:
            return None
        read, key = known[name], name.removeprefix("--").replace("-", "_")
        if read is None:
            if equals:
                return None
            found[key] = True
            continue
        if not equals:
            if not left:
                return None
            value = left.pop(0)
        try:
            found[key] = read(value)
        except ValueError:
            return None
    return found


def run_if_understood() -> None:
    """Runs this process's own command line and ends the process, if it is one of the three."""
    run = understood(sys.argv[1:])
    if run is not None:
        raise SystemExit(run())
