"""`inkwire demo`: a whole hub on an empty folder, put to the test before the newcomer's eyes.

    stage.py    the folder, one source per provider, a real `inkwire serve`, and its clock
    sending.py  a subscriber with webhooks: delivered, failing, given up, restored
    signing.py  an order goes out to be signed at Box, and comes home
    instep.py   an opportunity gets its folders at Box; a file there reaches it, a signature wins it
    vendor.py   the sandbox that stands in for Box and Salesforce
    sink.py     the subscriber's server, which proves what it gets
    oracle.py   what an honest hub must make of a request, worked out apart from the hub
    acts.py     what is sent: every sample, then duplicates, rotated keys and forgeries
    play.py     sends the acts and compares each answer, then the store itself
    report.py   the tables

Nothing outside this folder knows that there is a demo.
"""

from pathlib import Path
from typing import Annotated

import typer

from inkwire.cli.shell import examples


def register(app: typer.Typer) -> None:
    """Hangs the command into `app`."""
    app.command(
        rich_help_panel="Try it",
        epilog=examples("inkwire demo", "inkwire demo --end", "inkwire demo --dir ./demo --port 0"),
    )(demo)


def demo(
    end: Annotated[bool, typer.Option("--end", help="Stop when the tables are printed.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the hub; another one if it is taken.")
    ] = 8080,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Empty folder to use and keep; default: a temporary one."),
    ] = None,
) -> None:
    """Watch a hub at work: webhooks out with repeats, webhooks in with forgeries.

    Starts a hub on an empty folder. A subscriber gets a signed webhook, then fails for a day and a
    half, in seconds, until it is given up. Then every provider's samples come in, signed for real,
    and what should not get in. What was to happen is checked against what did.
    Stays up to be looked at until Ctrl-C. Exit code 1 if anything is not as it should be.
    """
    from inkwire.cli.demo.play import perform

    raise typer.Exit(0 if perform(end=end, port=port, folder=folder) else 1)
