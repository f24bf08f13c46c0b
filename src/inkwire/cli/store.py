"""`inkwire migrate` and `inkwire master-key …`: the store, and the key that its secrets hang on."""

from typing import Annotated

import typer

from inkwire.cli.output import print_json, table
from inkwire.cli.shell import examples, note, opened, settings_of

master_key = typer.Typer(
    name="master-key",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="The key that seals bodies and secrets.",
)


def register(app: typer.Typer) -> None:
    """Hangs the commands into `app`."""
    app.command(rich_help_panel="Look after it", epilog=examples("inkwire migrate"))(migrate)
    app.add_typer(master_key, rich_help_panel="Look after it")


def migrate(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring the store to this release's schema, or make it. `serve` does this by itself."""
    settings = settings_of(ctx)
    from inkwire.cli.preparing import store_line
    from inkwire.store.open import migrate as bring_up

    bring_up(settings)
    with opened(ctx) as hub:
        checked = dict(hub.store.check())
    if as_json:
        print_json(checked)
        return
    typer.echo(f"The store is ready: {store_line(settings, checked)}")


@master_key.command(epilog=examples("inkwire master-key new"))
def new() -> None:
    """Print a new master key, for INKWIRE_MASTER_KEY or a secret manager. Changes nothing."""
    from inkwire.store.keys import new_master_key

    typer.echo(new_master_key())


@master_key.command("show-id", epilog=examples("inkwire master-key show-id"))
def show_id(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the ids of the master keys at hand, the sealing one first; never the keys."""
    from inkwire.store.keys import load_keyring

    ring = load_keyring(settings_of(ctx), create=False)
    rows = [
        {"id": key.id.hex(), "use": "opens" if number else "seals"}
        for number, key in enumerate(ring.keys)
    ]
    if as_json:
        print_json(rows)
    else:
        table(("id", "use"), [(row["id"], row["use"]) for row in rows], empty="")


@master_key.command(epilog=examples("inkwire master-key rotate"))
def rotate(ctx: typer.Context) -> None:
    """Put a new master key in front of the key file; the old ones still open what they sealed."""
    from inkwire.store.keys import key_file
    from inkwire.store.keys import rotate as put_in_front

    settings = settings_of(ctx)
    ring = put_in_front(settings)
    typer.echo(f"The new master key is {ring.current.id.hex()}, in {key_file(settings)}.")
    note(
        "Now: 1. restart the hub, so that every process knows it; 2. run `inkwire master-key "
        "rewrap` until it finds 0; 3. back the file up; 4. only then remove the old key's line."
    )


#: A process reads the keys when it starts, and what it seals cannot be told apart beforehand.
_AFTER_REWRAP = (
    "Keep the older keys for now: a process that was not restarted since the rotation still seals "
    "with one. Restart every process, then run `inkwire master-key rewrap` until it finds 0."
)
_NOTHING_TO_REWRAP = (
    "Nothing hangs on an older master key now. Remove it only if every process was restarted "
    "since the rotation; if in doubt, restart them and run this once more."
)


@master_key.command(epilog=examples("inkwire master-key rewrap"))
def rewrap(ctx: typer.Context) -> None:
    """Seal with the current master key what older ones sealed. Can be stopped and run again."""
    done = 0
    with opened(ctx) as hub:
        while batch := hub.store.rewrap():
            done += batch
            typer.echo(f"{done} …", err=True)
    typer.echo(f"{done} values sealed anew.")
    note(_AFTER_REWRAP if done else _NOTHING_TO_REWRAP)
