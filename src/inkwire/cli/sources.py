"""`inkwire sources …` and `inkwire apply`: the endpoints that providers send to."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkwire.cli.listing import seconds_of
from inkwire.cli.output import ago, jsonable, print_json, table
from inkwire.cli.shell import (
    confirmed,
    examples,
    note,
    opened,
    operator,
    pairs,
    secret_text,
)
from inkwire.cli.signer import RecipeOption, recipe_settings
from inkwire.cli.source_views import print_provider, print_source, source_facts
from inkwire.errors import InvalidInput

if TYPE_CHECKING:
    from inkwire.providers.contract import Receiver

group = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Endpoints and secrets.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The source's id.")]
SecretsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        help="role=env:NAME, role=file:PATH or role=value (which a shell keeps in its history).",
    ),
]
SettingsOption = Annotated[
    list[str] | None, typer.Option("--setting", help="key=value; see `sources providers NAME`.")
]
TypesOption = Annotated[
    list[str] | None, typer.Option("--event-type", help="Act on this event type only; repeat it.")
]
DocumentsOption = Annotated[
    list[str] | None, typer.Option("--document-id", help="Act on this document only; repeat it.")
]
MaxBodyOption = Annotated[
    int | None, typer.Option("--max-body-bytes", min=1024, help="Largest body, in bytes.")
]


def register(app: typer.Typer) -> None:
    """Hangs the commands into `app`."""
    app.add_typer(group, name="sources", rich_help_panel="Manage")
    app.command(
        rich_help_panel="Manage",
        epilog=examples("inkwire apply", "inkwire apply /etc/inkwire/inkwire.toml --json"),
    )(apply)


@group.command("list", epilog=examples("inkwire sources list", "inkwire sources list --json"))
def list_sources(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the sources, and when each was last heard of."""
    with opened(ctx) as hub:
        sources, heard = hub.desk.all(operator()), hub.desk.activity(operator())
        now = hub.clock.now()
        if as_json:
            print_json([source_facts(hub, source) for source in sources])
            return
        rows = []
        for source in sources:
            seen = heard.get(source.id)
            rows.append(
                (
                    source.id,
                    source.provider,
                    "paused" if source.paused else "active",
                    ago(seen.last_receipt_at if seen else None, now),
                    seen.receipts_24h if seen else 0,
                    seen.rejections_24h if seen else 0,
                    seen.quarantined if seen else 0,
                    hub.desk.url(source.id),
                )
            )
    columns = ("id", "provider", "state", "last seen", "24 h", "refused", "quarantine", "address")
    table(
        columns,
        rows,
        empty="There are no sources yet. Make one: inkwire sources create ID --provider NAME",
    )


@group.command(epilog=examples("inkwire sources show box-main"))
def show(ctx: typer.Context, source_id: IdArgument, as_json: JsonOption = False) -> None:
    """Show one source: address, settings, secrets (never their values), activity."""
    with opened(ctx) as hub:
        source = hub.desk.get(operator(), source_id)
        if as_json:
            print_json(source_facts(hub, source))
        else:
            print_source(hub, source)


@group.command(
    epilog=examples(
        "inkwire sources create box-main --provider box --name 'Box, production'",
        "inkwire sources create warehouse --provider boxc",
        "inkwire sources create gh --provider generic --recipe github --secret key=env:GITHUB",
    )
)
def create(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    source_id: IdArgument,
    provider: Annotated[str, typer.Option(help="Who sends to it; see `sources providers`.")],
    name: Annotated[str | None, typer.Option(help="What people call it; default: the id.")] = None,
    recipe: RecipeOption = None,
    setting: SettingsOption = None,
    secret: SecretsOption = None,
    event_type: TypesOption = None,
    document_id: DocumentsOption = None,
    max_body_bytes: MaxBodyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a source: the address a provider sends to, with its secrets.

    A secret that you do not give is asked for on a terminal, or made up where the provider lets
    the receiver choose it; then it is shown once.
    """
    from inkwire.sources.desk import SourceDraft

    with opened(ctx) as hub:
        secrets = _given_secrets(secret or [])
        known = recipe_settings(hub.registry, provider, recipe)
        _ask_for_missing(hub.registry.receiver(provider), secrets)
        source, generated = hub.desk.create(
            operator(),
            SourceDraft(
                id=source_id,
                provider=provider,
                name=name or source_id,
                settings={**known, **pairs(setting or [], what="--setting")},
                secrets=secrets,
                event_types=tuple(event_type or ()),
                document_ids=tuple(document_id or ()),
                max_body_bytes=max_body_bytes,
            ),
        )
        if as_json:
            print_json(source_facts(hub, source) | {"generated_secrets": dict(generated)})
            return
        print_source(hub, source)
        for role, value in generated.items():
            note(f"The secret {role}, shown only this once:")
            typer.echo(value)
        typer.echo(f"\nHow to connect it: inkwire sources manual {source.id}")


@group.command(
    epilog=examples(
        "inkwire sources update box-main --setting tolerance_past_s=900",
        "inkwire sources update box-main --event-type box.FILE.UPLOADED",
        "inkwire sources update box-main --all-event-types",
    )
)
def update(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    source_id: IdArgument,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    setting: SettingsOption = None,
    event_type: TypesOption = None,
    all_event_types: Annotated[
        bool, typer.Option("--all-event-types", help="No longer limited to event types.")
    ] = False,
    document_id: DocumentsOption = None,
    all_documents: Annotated[
        bool, typer.Option("--all-documents", help="No longer limited to documents.")
    ] = False,
    max_body_bytes: MaxBodyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a source; what is not given stays. A running hub follows within a second."""
    from inkwire.sources.desk import SourceChange

    if (event_type and all_event_types) or (document_id and all_documents):
        raise InvalidInput("Give either the list or the option that takes it away, not both.")
    change = SourceChange(
        name=name,
        settings=pairs(setting, what="--setting") if setting else None,
        event_types=() if all_event_types else tuple(event_type) if event_type else None,
        document_ids=() if all_documents else tuple(document_id) if document_id else None,
        max_body_bytes=max_body_bytes,
    )
    with opened(ctx) as hub:
        source = hub.desk.update(operator(), source_id, change)
        if as_json:
            print_json(source_facts(hub, source))
        else:
            print_source(hub, source)


@group.command(epilog=examples("inkwire sources pause box-main"))
def pause(ctx: typer.Context, source_id: IdArgument) -> None:
    """Stop handing its events on. They are still proven, stored and answered."""
    with opened(ctx) as hub:
        hub.desk.pause(operator(), source_id)
    typer.echo(f"{source_id} is paused; its events wait. Go on with `sources resume {source_id}`.")


@group.command(epilog=examples("inkwire sources resume box-main"))
def resume(ctx: typer.Context, source_id: IdArgument) -> None:
    """Hand its events on again, first those that waited."""
    with opened(ctx) as hub:
        hub.desk.resume(operator(), source_id)
    typer.echo(f"{source_id} is active.")


@group.command(
    epilog=examples(
        "inkwire sources rotate warehouse --overlap 1d",
        "inkwire sources rotate box-main --role primary --secret env:NEW_KEY --overlap 1h",
    )
)
def rotate(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    source_id: IdArgument,
    role: Annotated[
        str | None, typer.Option(help="Which secret, if the provider has several.")
    ] = None,
    secret: Annotated[
        str | None, typer.Option(help="The new secret: env:NAME, file:PATH, or the text itself.")
    ] = None,
    overlap: Annotated[
        str, typer.Option(help="How long the old secret still counts: 0, 90s, 1h, 7d.")
    ] = "1d",
    as_json: JsonOption = False,
) -> None:
    """Give a source a new secret; the old one stays valid for a while.

    Without --secret the new one is asked for, or made up where the provider lets the receiver
    choose it; then it is shown once.
    """
    with opened(ctx) as hub:
        source = hub.desk.get(operator(), source_id)
        receiver = hub.registry.receiver(source.provider)
        chosen = role or receiver.secrets[0].role
        value = secret_text(secret) if secret else _asked(receiver, chosen)
        seconds = seconds_of(overlap)
        info, made_up = hub.desk.rotate(
            operator(), source_id, role=chosen, value=value, overlap_s=seconds
        )
    if as_json:
        print_json(jsonable(info) | {"value": made_up})
        return
    after = f"for another {overlap}" if seconds else "no longer"
    typer.echo(f"{source_id} has a new secret {chosen} ({info.id}); the old one counts {after}.")
    if made_up is not None:
        note("Shown only this once:")
        typer.echo(made_up)


@group.command("remove-secret", epilog=examples("inkwire sources remove-secret shop sec_… --yes"))
def remove_secret(
    ctx: typer.Context,
    source_id: IdArgument,
    secret_id: Annotated[str, typer.Argument(help="The secret's id; see `sources show`.")],
    yes: YesOption = False,
) -> None:
    """End one secret at once: what is still signed with it will be refused."""
    confirmed(f"End the secret {secret_id} of {source_id} now?", yes=yes)
    with opened(ctx) as hub:
        hub.desk.remove_secret(operator(), source_id, secret_id)
    typer.echo(f"The secret {secret_id} no longer counts.")


@group.command(epilog=examples("inkwire sources delete box-old"))
def delete(ctx: typer.Context, source_id: IdArgument, yes: YesOption = False) -> None:
    """Delete a source and its secrets. Receipts and events stay."""
    with opened(ctx) as hub:
        source = hub.desk.get(operator(), source_id)
        question = f"Delete {source.id} ({source.name})? Its provider will get 404 from then on."
        confirmed(question, yes=yes)
        hub.desk.delete(operator(), source_id)
    typer.echo(f"{source_id} is deleted; its receipts and events stay.")


@group.command(epilog=examples("inkwire sources manual box-main"))
def manual(ctx: typer.Context, source_id: IdArgument) -> None:
    """Show, step by step, how to connect a source in the provider's own console."""
    with opened(ctx) as hub:
        text = hub.desk.manual(hub.desk.get(operator(), source_id))
    if not sys.stdout.isatty():
        typer.echo(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))


@group.command(
    epilog=examples("inkwire sources providers", "inkwire sources providers standardwebhooks")
)
def providers(
    name: Annotated[str | None, typer.Argument(help="Show this provider in full.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the providers; or show one: secrets, settings, event types, samples, retries."""
    from inkwire.providers.registry import registry

    if name is not None:
        print_provider(registry().get(name), registry().receiver(name), as_json=as_json)
        return
    found = registry().receiving()
    if as_json:
        print_json([{"name": p.name, "title": p.title, "summary": p.summary} for p in found])
        return
    rows = [(provider.name, provider.title, provider.summary) for provider in found]
    table(("name", "provider", "what it is"), rows, empty="No provider is installed.")


def apply(
    ctx: typer.Context,
    path: Annotated[
        Path | None, typer.Argument(help="File to apply; default: INKWIRE_CONFIG_FILE.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make the sources as inkwire.toml declares them. Applying it twice changes nothing."""
    from inkwire.sources.declared import apply as apply_file

    with opened(ctx) as hub:
        result = apply_file(hub.desk, path or hub.settings.config_file)
    if as_json:
        print_json(result)
        return
    counts: Mapping[str, Any] = jsonable(result)
    for what, ids in counts.items():
        if ids:
            typer.echo(f"{what}: {', '.join(ids)}")
    if result.released:
        note("Released sources left the file: they are paused and editable in the console now.")
    if not any(counts.values()):
        typer.echo("The file declares no sources.")


def _given_secrets(values: list[str]) -> dict[str, str]:
    return {role: secret_text(text) for role, text in pairs(values, what="--secret").items()}


def _ask_for_missing(receiver: "Receiver", given: dict[str, str]) -> None:
    """Asks for the required secrets that nobody can make up, if there is somebody to ask."""
    for item in receiver.secrets:
        if item.required and not item.generate and item.role not in given and sys.stdin.isatty():
            typer.echo(item.help, err=True)
            given[item.role] = typer.prompt(item.label, hide_input=True, err=True)


def _asked(receiver: "Receiver", role: str) -> str | None:
    """The new secret from a person; None if it can be made up, or nobody is there to ask."""
    for item in receiver.secrets:
        if item.role == role and not item.generate and sys.stdin.isatty():
            typer.echo(item.help, err=True)
            return str(typer.prompt(f"New {item.label.lower()}", hide_input=True, err=True))
    return None
