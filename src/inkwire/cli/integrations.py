"""`inkwire integrations …`: business processes, set up, started and stopped."""

from typing import Annotated

import typer

from inkwire.cli.acting_views import (
    integration_facts,
    integration_number,
    print_integration,
    print_judged,
    print_problems,
)
from inkwire.cli.listing import JsonOption
from inkwire.cli.output import clean, print_json, table
from inkwire.cli.shell import examples, opened, operator, pairs, read_bytes
from inkwire.errors import InvalidInput
from inkwire.model.work import IntegrationState

group = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Business processes that act."
)

IdArgument = Annotated[str, typer.Argument(metavar="INTEGRATION", help="int_7, or 7.")]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--setting",
        help="key=value, or key=@FILE for several lines; see `integrations kinds KIND`.",
    ),
]
ConnectionOption = Annotated[
    str | None, typer.Option("--connection", help="The connection that it calls by; '': none.")
]
SecondOption = Annotated[
    str | None,
    typer.Option(
        "--second-connection",
        help="The connection to the other system, for a kind between two; '': none.",
    ),
]
SourcesOption = Annotated[
    list[str] | None, typer.Option("--source", help="A source whose events it hears; repeat it.")
]


def register(app: typer.Typer) -> None:
    """Hangs the group into `app`."""
    app.add_typer(group, name="integrations", rich_help_panel="Act")


@group.command("list", epilog=examples("inkwire integrations list"))
def list_integrations(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the integrations."""
    with opened(ctx) as hub:
        found = hub.integrations.all(operator())
    if as_json:
        print_json([integration_facts(one) for one in found])
        return
    rows = [
        (one.label, one.state.value, one.kind, ", ".join(one.connection_ids),
         ", ".join(one.source_ids), one.name)
        for one in found
    ]  # fmt: skip
    columns = ("id", "state", "kind", "connections", "sources", "name")
    empty = "There are no integrations yet. See what there is: inkwire integrations kinds"
    table(columns, rows, empty=empty)


@group.command(
    epilog=examples("inkwire integrations kinds", "inkwire integrations kinds box_sign_orders")
)
def kinds(
    name: Annotated[str | None, typer.Argument(help="Show this kind's settings.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the kinds of integrations; or show one with its settings."""
    from inkwire.integrations.desk import second_provider
    from inkwire.integrations.registry import kinds as installed

    if name is None:
        found = installed().values()
        shown = [(one.name, one.title, one.summary) for one in found]
        if as_json:
            print_json([{"name": n, "title": t, "summary": s} for n, t, s in shown])
        else:
            table(("name", "kind", "what it does"), shown, empty="No kind is installed.")
        return
    if name not in installed():
        raise InvalidInput(f"There is no kind {name!r}; there are: {', '.join(installed())}.")
    kind = installed()[name]
    if as_json:
        print_json({"name": kind.name, "title": kind.title, "summary": kind.summary,
                    "provider": kind.provider, "second_provider": second_provider(kind),
                    "settings": kind.settings})  # fmt: skip
        return
    typer.secho(kind.title, bold=True)
    typer.echo(f"{kind.summary}\n")
    rows = [(s.key, s.default, clean(s.help)) for s in kind.settings]
    table(("setting", "default", "what it does"), rows, empty="It has no settings.")


@group.command(epilog=examples("inkwire integrations show int_7"))
def show(ctx: typer.Context, integration: IdArgument, as_json: JsonOption = False) -> None:
    """Show one integration: settings, what it knows of the vendor, what is wrong with it."""
    with opened(ctx) as hub:
        found = hub.integrations.get(operator(), integration_number(integration))
        known = {kind.name for kind in hub.integrations.kinds(operator())}
        print_integration(found, as_json=as_json)
        if not as_json and found.kind in known:
            print_problems(hub.integrations.problems(operator(), found.id))


@group.command(
    epilog=examples(
        "inkwire integrations add box_sign_orders --name 'Contracts' --connection box-main "
        "--source box-events --setting order_field=sign_request_id",
        "inkwire integrations add box_salesforce --connection box-main "
        "--second-connection salesforce --source box-events",
    )
)
def add(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(help="What it does; see `integrations kinds`.")],
    name: Annotated[str | None, typer.Option(help="What people call it; default: kind.")] = None,
    connection: ConnectionOption = None,
    second_connection: SecondOption = None,
    source: SourcesOption = None,
    setting: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an integration. It is inactive until `activate`, which says what is still missing."""
    from inkwire.integrations.desk import IntegrationDraft

    draft = IntegrationDraft(
        kind=kind,
        name=name or kind,
        settings=_settings(setting or []),
        connection_id=connection,
        second_connection_id=second_connection,
        source_ids=tuple(source or ()),
    )
    with opened(ctx) as hub:
        print_judged(hub.integrations.add(operator(), draft), as_json=as_json)


@group.command(
    "set",
    epilog=examples(
        "inkwire integrations set int_7 --setting days_valid=14 --setting prefill=@prefill.txt",
        "inkwire integrations set int_7 --source box-events --connection box-main",
    ),
)
def change(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    integration: IdArgument,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    connection: ConnectionOption = None,
    second_connection: SecondOption = None,
    source: SourcesOption = None,
    setting: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an integration; what is not given stays. A running hub follows within a second."""
    from inkwire.integrations.desk import IntegrationChange

    change = IntegrationChange(
        name=name,
        settings=_settings(setting) if setting else None,
        connection_id=connection,
        second_connection_id=second_connection,
        source_ids=tuple(source) if source else None,
    )
    with opened(ctx) as hub:
        judged = hub.integrations.change(operator(), integration_number(integration), change)
        print_judged(judged, as_json=as_json)


@group.command(epilog=examples("inkwire integrations activate int_7"))
def activate(ctx: typer.Context, integration: IdArgument) -> None:
    """Start an integration, or resume it; each field that keeps it from acting is named."""
    _move(ctx, integration, IntegrationState.ACTIVE, "makes and does work.")


@group.command(epilog=examples("inkwire integrations pause int_7"))
def pause(ctx: typer.Context, integration: IdArgument) -> None:
    """Pause an integration: its work is made and waits."""
    _move(ctx, integration, IntegrationState.PAUSED, "makes work and starts none.")


@group.command(epilog=examples("inkwire integrations deactivate int_7"))
def deactivate(ctx: typer.Context, integration: IdArgument) -> None:
    """Stop an integration: no new work is made; what is under way is finished."""
    _move(ctx, integration, IntegrationState.INACTIVE, "makes no new work.")


def _move(ctx: typer.Context, integration: str, to: IntegrationState, what: str) -> None:
    with opened(ctx) as hub:
        judged = hub.integrations.move(operator(), integration_number(integration), to)
    print_problems(judged.problems)
    typer.echo(f"{judged.integration.label} is {to.value}: it {what}")


def _settings(given: list[str]) -> dict[str, str]:
    """`key=value`, or `key=@FILE` for what has several lines. Raises InvalidInput, NotFound."""
    return {
        key: read_bytes(value[1:]).decode("utf-8", "replace") if value.startswith("@") else value
        for key, value in pairs(given, what="--setting").items()
    }
