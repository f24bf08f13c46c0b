"""`inkwire evidence …`: proof of what became of an order, for people who do not run this hub."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from inkwire.cli.listing import JsonOption
from inkwire.cli.output import clean, print_json
from inkwire.cli.shell import examples, fail, note, opened, read_bytes
from inkwire.errors import InvalidInput

evidence = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Proof of what became of an order."
)


def register(app: typer.Typer) -> None:
    """Hangs the commands into `app`."""
    app.add_typer(evidence, name="evidence", rich_help_panel="Act")


@evidence.command(
    epilog=examples("inkwire evidence export 1042", "inkwire evidence export ord_… -o proof.zip")
)
def export(
    ctx: typer.Context,
    order: Annotated[str, typer.Argument(help="The order's number, or its id.")],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="File to write; - for standard output."),
    ] = None,
) -> None:
    """Write an order's evidence as a ZIP: chain, documents, webhooks, calls, signed by the hub."""
    with opened(ctx) as hub:
        content = hub.evidence.export(order)
    if output == "-":
        sys.stdout.buffer.write(content)
        return
    from inkwire.documents.names import plain_name

    path = Path(output or f"evidence-{plain_name(order, fallback='order')}.zip")
    path.write_bytes(content)
    typer.echo(f"{path} ({len(content):,} bytes). Check it: inkwire evidence verify {path}")


@evidence.command(
    epilog=examples(
        "inkwire evidence verify proof.zip --key hub-key.pem", "inkwire evidence verify proof.zip"
    )
)
def verify(
    file: Annotated[str, typer.Argument(help="The ZIP; - for standard input.")],
    key: Annotated[
        str | None,
        typer.Option(
            help="The hub's public key, got on another way: a file (PEM), or 64 hex digits."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a bundle: needs no hub, no database, no network. Exit code 1: it does not hold."""
    from inkwire.documents.bundle import MOST_BYTES, read_public
    from inkwire.documents.verifying import holds
    from inkwire.documents.verifying import verify as check

    if file != "-" and Path(file).is_file() and Path(file).stat().st_size > MOST_BYTES:
        raise InvalidInput(f"{file} is larger than any bundle may be ({MOST_BYTES:,} bytes).")
    public = None if key is None else read_public(_key_text(key))
    findings = check(read_bytes(file), public)
    good = holds(findings)
    if as_json:
        print_json({"ok": good, "findings": findings})
    else:
        for one in findings:
            typer.echo(f"{'ok  ' if one.ok else 'FAIL'}  {one.check:<10} {clean(one.text)}")
        if good:
            typer.echo("The evidence holds. README.txt in it says what that proves and what not.")
            if public is None:
                note("Not checked: whose key it is. Compare it with the hub's, by --key.")
        else:
            fail("The evidence does not hold.")
    if not good:
        raise typer.Exit(1)


@evidence.command(epilog=examples("inkwire evidence key > hub-key.pem"))
def key(
    ctx: typer.Context,
    as_hex: Annotated[bool, typer.Option("--hex", help="64 hex digits instead of PEM.")] = False,
) -> None:
    """Print the hub's public key. Give it to those who are to check evidence of this hub."""
    from inkwire.documents.bundle import pem_of

    with opened(ctx) as hub:
        public = hub.evidence.public_key()
    typer.echo(public.hex() if as_hex else pem_of(public).decode(), nl=as_hex)


def _key_text(given: str) -> bytes:
    """A key's file, or the digits themselves."""
    if len(given) == 64 and not Path(given).exists():
        return given.encode()
    return read_bytes(given)
