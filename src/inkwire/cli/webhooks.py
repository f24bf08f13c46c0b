"""`inkwire webhooks …`: the addresses that applications registered."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkwire.cli.listing import (
    ApplicationOption,
    JsonOption,
    LimitOption,
    YesOption,
    pages,
    seconds_of,
)
from inkwire.cli.output import ago, print_json, table
from inkwire.cli.shell import (
    confirmed,
    examples,
    note,
    opened,
    operator,
    pairs,
    secret_text,
)
from inkwire.cli.webhook_views import (
    health_line,
    print_webhook,
    webhook_facts,
)
from inkwire.errors import InvalidInput
from inkwire.model.webhook import ProfileName, WebhookState

if TYPE_CHECKING:
    from inkwire.hub import Hub
    from inkwire.model.webhook import Webhook

group = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Addresses that we send to."
)

IdArgument = Annotated[int, typer.Argument(metavar="WEBHOOK", help="The webhook's number.")]
DescriptionOption = Annotated[str | None, typer.Option(help="A line for people.")]
DocumentsOption = Annotated[
    list[str] | None,
    typer.Option("--document-id", help="Deliver only what is about this document; repeat it."),
]
FiltersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        help='path=value, or JSON such as {"path": "order.total", "op": "exists"}; repeat it.',
    ),
]
HeadersOption = Annotated[
    list[str] | None,
    typer.Option("--header", help="Own header: name=env:NAME, name=file:PATH or name=value."),
]
RateOption = Annotated[int | None, typer.Option(help="Most attempts a minute; 0: no limit.")]
InFlightOption = Annotated[int | None, typer.Option(help="Most requests at the same time.")]
KeyOption = Annotated[
    str | None, typer.Option(help="Signing key: env:NAME, file:PATH, or the text itself.")
]


def register(app: typer.Typer) -> None:
    """Hangs the group into `app`."""
    app.add_typer(group, name="webhooks", rich_help_panel="Send")


@group.command(
    "list", epilog=examples("inkwire webhooks list", "inkwire webhooks list --failing --json")
)
def list_webhooks(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    text: Annotated[str | None, typer.Argument(help="Part of address or description.")] = None,
    application: ApplicationOption = None,
    topic: Annotated[str | None, typer.Option(help="Only of this topic.")] = None,
    state: Annotated[
        WebhookState | None, typer.Option(help="Only in this state; deleted ones only by it.")
    ] = None,
    failing: Annotated[
        bool, typer.Option("--failing", help="Only those whose endpoint failed last.")
    ] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List webhooks, newest first."""
    from dataclasses import replace

    from inkwire.store.sending import WebhookQuery

    query = WebhookQuery(
        application_id=application, topic=topic, state=state, text=text, failing=failing
    )
    with opened(ctx) as hub:
        found = pages(
            lambda last, size: hub.webhooks.all(
                operator(), replace(query, after=last.id if last else None, limit=size)
            ),
            limit,
        )
        health, now = hub.webhooks.health(operator(), found), hub.clock.now()
    if as_json:
        print_json(found)
        return
    rows = [
        (one.id, one.state.value, one.topic, one.profile.value, one.application_id,
         health_line(health.get(one.id), now), one.address)
        for one in found
    ]  # fmt: skip
    columns = ("id", "state", "topic", "profile", "application", "endpoint", "address")
    empty = "No such webhooks. Make one: inkwire webhooks add ADDRESS --application ID --topic NAME"
    table(columns, rows, empty=empty)


@group.command(epilog=examples("inkwire webhooks show 100001"))
def show(ctx: typer.Context, webhook: IdArgument, as_json: JsonOption = False) -> None:
    """Show one webhook: filters, headers and keys (never their values), its endpoint's health."""
    with opened(ctx) as hub:
        _print(hub, hub.webhooks.get(operator(), webhook), as_json=as_json)


@group.command(
    epilog=examples(
        "inkwire webhooks add https://example.com/hook --application app_… --topic order.signed",
        "inkwire webhooks add https://example.com/hook --application app_… "
        "--topic shipments_status --profile boxc --key env:BOXC_KEY",
    )
)
def add(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(help="Where to send to.")],
    application: Annotated[str, typer.Option("--application", help="Whose it is.")],
    topic: Annotated[str, typer.Option(help="What it hears; see `topics list`.")],
    profile: Annotated[
        ProfileName, typer.Option(help="How it is signed, repeated and given up.")
    ] = ProfileName.STANDARD,
    key: KeyOption = None,
    description: DescriptionOption = None,
    document_id: DocumentsOption = None,
    filter_: FiltersOption = None,
    header: HeadersOption = None,
    rate_per_minute: RateOption = None,
    max_in_flight: InFlightOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a webhook. A key that you do not give is made up where the profile allows it."""
    from inkwire.delivery.drafts import WebhookDraft

    draft = WebhookDraft(
        topic=topic,
        address=address,
        profile=profile,
        key=secret_text(key) if key else None,
        description=description or "",
        document_ids=tuple(document_id or ()),
        filters=_filters(filter_ or []),
        headers=_headers(header or []),
        rate_per_minute=rate_per_minute,
        max_in_flight=10 if max_in_flight is None else max_in_flight,
    )
    with opened(ctx) as hub:
        made, made_up = hub.webhooks.create(operator(), application, draft)
        if as_json:
            print_json(webhook_facts(hub, made) | {"generated_key": made_up})
            return
        print_webhook(hub, made)
    _show_once(made_up)


@group.command(
    epilog=examples(
        "inkwire webhooks edit 100001 --address https://example.com/new",
        "inkwire webhooks edit 100001 --filter order.status=signed --rate-per-minute 60",
        "inkwire webhooks edit 100001 --no-filters --all-documents",
    )
)
def edit(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    webhook: IdArgument,
    address: Annotated[str | None, typer.Option(help="New address.")] = None,
    description: DescriptionOption = None,
    document_id: DocumentsOption = None,
    all_documents: Annotated[
        bool, typer.Option("--all-documents", help="No longer limited to documents.")
    ] = False,
    filter_: FiltersOption = None,
    no_filters: Annotated[
        bool, typer.Option("--no-filters", help="Take all filters away.")
    ] = False,
    header: HeadersOption = None,
    no_headers: Annotated[
        bool, typer.Option("--no-headers", help="Take its own headers away.")
    ] = False,
    rate_per_minute: RateOption = None,
    max_in_flight: InFlightOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a webhook; what is not given stays. The topic cannot change; keys: `rotate`."""
    from inkwire.delivery.drafts import WebhookPatch

    if (document_id and all_documents) or (filter_ and no_filters) or (header and no_headers):
        raise InvalidInput("Give either the list or the option that takes it away, not both.")
    patch = WebhookPatch(
        address=address,
        description=description,
        document_ids=() if all_documents else tuple(document_id) if document_id else None,
        filters=() if no_filters else _filters(filter_) if filter_ else None,
        headers={} if no_headers else _headers(header) if header else None,
        rate_per_minute=rate_per_minute,
        max_in_flight=max_in_flight,
    )
    with opened(ctx) as hub:
        _print(hub, hub.webhooks.change(operator(), webhook, patch), as_json=as_json)


@group.command(epilog=examples("inkwire webhooks delete 100001"))
def delete(ctx: typer.Context, webhook: IdArgument, yes: YesOption = False) -> None:
    """Delete a webhook; what waits is not sent. The log stays, and `restore` brings it back."""
    with opened(ctx) as hub:
        found = hub.webhooks.get(operator(), webhook)
        confirmed(f"Delete webhook {found.id} to {found.address}?", yes=yes)
        hub.webhooks.delete(operator(), webhook)
    typer.echo(f"Webhook {webhook} is deleted. To undo it: inkwire webhooks restore {webhook}")


@group.command(epilog=examples("inkwire webhooks restore 100001"))
def restore(ctx: typer.Context, webhook: IdArgument) -> None:
    """Bring a deleted webhook back, active; what was cancelled stays so (see replay-missing)."""
    _activate(ctx, webhook, WebhookState.DELETED)


@group.command(epilog=examples("inkwire webhooks pause 100001"))
def pause(ctx: typer.Context, webhook: IdArgument) -> None:
    """Stop sending to a webhook; its deliveries are made and wait."""
    with opened(ctx) as hub:
        hub.webhooks.pause(operator(), webhook)
    typer.echo(f"Webhook {webhook} is paused; go on with `inkwire webhooks resume {webhook}`.")


@group.command(epilog=examples("inkwire webhooks resume 100001"))
def resume(ctx: typer.Context, webhook: IdArgument) -> None:
    """Send to a paused webhook again, first what waited."""
    _activate(ctx, webhook, WebhookState.PAUSED)


@group.command(epilog=examples("inkwire webhooks disable 100001"))
def disable(ctx: typer.Context, webhook: IdArgument) -> None:
    """Make no more deliveries for a webhook; those that wait are cancelled."""
    with opened(ctx) as hub:
        hub.webhooks.disable(operator(), webhook)
    typer.echo(f"Webhook {webhook} is disabled; to undo it: inkwire webhooks enable {webhook}")


@group.command(epilog=examples("inkwire webhooks enable 100001"))
def enable(ctx: typer.Context, webhook: IdArgument) -> None:
    """Make deliveries for a disabled webhook again, from now on (see replay-missing)."""
    _activate(ctx, webhook, WebhookState.DISABLED)


@group.command(
    epilog=examples(
        "inkwire webhooks rotate 100001 --overlap 1d",
        "inkwire webhooks rotate 100001 --key file:new.key",
    )
)
def rotate(
    ctx: typer.Context,
    webhook: IdArgument,
    key: KeyOption = None,
    overlap: Annotated[
        str | None, typer.Option(help="How long the old key signs along: 0, 1h, 7d.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Give a webhook another signing key, shown once if it is made up."""
    with opened(ctx) as hub:
        found, made_up = hub.webhooks.rotate(
            operator(),
            webhook,
            key=secret_text(key) if key else None,
            overlap_s=None if overlap is None else seconds_of(overlap),
        )
        if as_json:
            print_json(webhook_facts(hub, found) | {"generated_key": made_up})
            return
        now = hub.clock.now()
    old = next((k.expires_at for k in found.keys[1:] if k.expires_at), None)
    along = f"the old one signs along and ends {ago(old, now)}" if old and old > now else "alone"
    typer.echo(f"Webhook {webhook} signs with a new key; {along}.")
    _show_once(made_up)


# --- inside


def _print(hub: "Hub", webhook: "Webhook", *, as_json: bool) -> None:
    if as_json:
        print_json(webhook_facts(hub, webhook))
    else:
        print_webhook(hub, webhook)


def _show_once(key: str | None) -> None:
    if key is not None:
        note("Its signing key, shown only this once:")
        typer.echo(key)


def _activate(ctx: typer.Context, webhook: int, expected: WebhookState) -> None:
    """Makes it active if it is in the state that the command is about. Raises InvalidInput."""
    with opened(ctx) as hub:
        found = hub.webhooks.get(operator(), webhook)
        if found.state not in (expected, WebhookState.ACTIVE):
            raise InvalidInput(f"Webhook {webhook} is {found.state}, not {expected}.")
        hub.webhooks.activate(operator(), webhook)
    typer.echo(f"Webhook {webhook} is active.")


def _filters(given: list[str]) -> list[dict[str, Any]]:
    return [_filter(text) for text in given]


def _filter(text: str) -> dict[str, Any]:
    """`path=value` (JSON, or else text), or a filter as the API takes it. Raises InvalidInput."""
    if text.startswith("{"):
        try:
            found: dict[str, Any] = json.loads(text)
        except ValueError:
            raise InvalidInput(f"--filter: {text!r} is no JSON.") from None
        return found
    ((path, value),) = pairs([text], what="--filter").items()
    try:
        return {"path": path, "op": "equals", "value": json.loads(value)}
    except ValueError:
        return {"path": path, "op": "equals", "value": value}


def _headers(given: list[str]) -> dict[str, str]:
    return {name: secret_text(value) for name, value in pairs(given, what="--header").items()}
