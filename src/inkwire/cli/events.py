"""`inkwire events …` and `inkwire rejected …`: what came in, and what was not let in."""

import json
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkwire.cli.output import ago, clean, facts, jsonable, print_json, stamp, table
from inkwire.cli.shell import examples, note, opened, operator
from inkwire.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inkwire.hub import Hub
    from inkwire.model.event import Event
    from inkwire.store.contract import EventQuery

events = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="What came in.")
rejected = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="What was refused.")

#: Ids are given before the commit, so an event may appear behind a younger one: `tail` looks back
#: this many seconds and remembers what it has shown.
LOOK_BACK_S = 15
#: Most events that are read at once.
MAX_BEHIND = 100_000
_COLOURS = {
    "new": typer.colors.GREEN,
    "duplicate": typer.colors.CYAN,
    "probable_duplicate": typer.colors.CYAN,
    "quarantined": typer.colors.YELLOW,
    "unparsable": typer.colors.YELLOW,
}

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only of this source.")]
TypeOption = Annotated[str | None, typer.Option("--type", help="Only of this event type.")]
StateOption = Annotated[
    str | None,
    typer.Option(
        "--state", help="new, duplicate, probable_duplicate, quarantined, unparsable or filtered."
    ),
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")]


def register(app: typer.Typer) -> None:
    """Hangs the groups into `app`."""
    app.add_typer(events, name="events", rich_help_panel="Manage")
    app.add_typer(rejected, name="rejected", rich_help_panel="Manage")


@events.command(
    "list",
    epilog=examples(
        "inkwire events list --source box-main --limit 100",
        "inkwire events list jane@example.com",
        "inkwire events list --state quarantined --json",
        "inkwire events list --since -2h",
    ),
)
def list_events(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    text: Annotated[
        str | None, typer.Argument(help="An id, or the start of an id, e-mail, name or number.")
    ] = None,
    source: SourceOption = None,
    kind: TypeOption = None,
    state: StateOption = None,
    entity: Annotated[str | None, typer.Option(help="Only of this entity key.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Received since: -2h, or an RFC 3339 time.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Received until: -1h, or an RFC 3339 time.")
    ] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List events, newest first."""
    from inkwire.store.contract import EventQuery

    with opened(ctx) as hub:
        now = hub.clock.now()
        query = EventQuery(
            text=text,
            source_id=source,
            type=kind,
            entity_key=entity,
            state=_state(state),
            since=_moment(since, now),
            until=_moment(until, now),
        )
        found = list(_pages(hub, query, limit))
    if as_json:
        print_json(found)
        return
    rows = [
        (event.id, stamp(event.received_at), event.source_id, event.type, _state_of(event),
         event.entity_key or "")
        for event in found
    ]  # fmt: skip
    columns = ("event", "received", "source", "type", "state", "entity")
    table(columns, rows, empty="No such events. Try one: inkwire send PROVIDER --source ID")


@events.command(
    epilog=examples("inkwire events show evt_…", "inkwire events show evt_… --body > body.json")
)
def show(
    ctx: typer.Context,
    event_id: Annotated[str, typer.Argument(metavar="EVENT")],
    body: Annotated[
        bool, typer.Option("--body", help="Print the body's exact bytes and nothing else.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one event: what it says, how it was proven, its other deliveries, its raw request."""
    with opened(ctx) as hub:
        event = hub.store.events.get(event_id)
        if body:
            content = hub.store.inbound.open_receipt(event.receipt_id).body
            if content is None:
                raise InvalidInput(_no_body(event))
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        elif as_json:
            print_json(_everything(hub, event))
        else:
            _print_event(hub, event)


@events.command(
    epilog=examples("inkwire events tail", "inkwire events tail --source box-main --json")
)
def tail(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    source: SourceOption = None,
    kind: TypeOption = None,
    state: StateOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="End after this many.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Follow events as they arrive, until Ctrl-C."""
    import asyncio

    from inkwire.store.contract import EventQuery

    with opened(ctx) as hub:
        query = EventQuery(
            source_id=source, type=kind, state=_state(state), since=hub.clock.now(), limit=200
        )
        if not as_json:
            note("Following; Ctrl-C ends it.")
        asyncio.run(_follow(hub, query, limit, as_json=as_json))


@events.command(epilog=examples("inkwire events release rcp_…"))
def release(
    ctx: typer.Context, receipt: Annotated[str, typer.Argument(help="A quarantined receipt.")]
) -> None:
    """Let a quarantined request in: its events are handed on as if they had just come."""
    with opened(ctx) as hub:
        hub.inbox.release(operator(), receipt)
        states = ", ".join(
            f"{e.type} {e.state.value}" for e in hub.store.events.of_receipt(receipt)
        )
    typer.echo(f"{receipt} is released: {states}")


@events.command(epilog=examples("inkwire events dispatch evt_…"))
def dispatch(ctx: typer.Context, event_id: Annotated[str, typer.Argument(metavar="EVENT")]) -> None:
    """Hand an event on once more."""
    with opened(ctx) as hub:
        hub.inbox.dispatch_again(operator(), event_id)
    typer.echo(f"{event_id} waits for the worker again.")


@rejected.command(
    "list",
    epilog=examples("inkwire rejected list", "inkwire rejected list --reason bad_signature"),
)
def list_rejected(
    ctx: typer.Context,
    source: SourceOption = None,
    reason: Annotated[
        str | None, typer.Option(help="Only for this reason, e.g. bad_signature.")
    ] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List refused requests, newest first, each with its reason."""
    from inkwire.model.verdict import Reason
    from inkwire.store.contract import MAX_PAGE, RejectionQuery

    chosen = _choice(reason, [item.value for item in Reason], "reason")
    with opened(ctx) as hub:
        found = hub.store.events.rejections(
            RejectionQuery(
                source_id=source,
                reason=Reason(chosen) if chosen else None,
                limit=min(limit, MAX_PAGE),
            )
        )
    if as_json:
        print_json(found)
        return
    rows = [
        (row.id, stamp(row.at), row.source_id, row.status, row.reason.value, row.detail)
        for row in found
    ]
    columns = ("rejection", "at", "source", "status", "reason", "what was found")
    table(columns, rows, empty="Nothing was refused.")


@rejected.command("show", epilog=examples("inkwire rejected show rej_…"))
def show_rejected(
    ctx: typer.Context,
    rejection: Annotated[str, typer.Argument(metavar="REJECTION")],
    as_json: JsonOption = False,
) -> None:
    """Show one refused request: what was found, and what to do about it."""
    with opened(ctx) as hub:
        row = hub.store.events.rejection(rejection)
    if as_json:
        print_json(row)
        return
    typer.secho(f"{row.status} {row.reason.value}", bold=True)
    typer.echo(f"{clean(row.detail)}\n{clean(row.hint)}\n")
    facts(
        [
            ("at", stamp(row.at)),
            ("source", row.source_id),
            ("provider", row.provider),
            ("request", f"{row.method} {row.path}"),
            ("from", row.remote),
            ("body", f"{row.body_size} bytes"),
            *((f"header {name}", value) for name, value in row.headers),
        ]
    )


def _pages(hub: "Hub", query: "EventQuery", limit: int) -> "Iterator[Event]":
    """Up to `limit` events, page after page."""
    from dataclasses import replace

    from inkwire.store.contract import MAX_PAGE

    while limit > 0:
        page = hub.store.events.page(replace(query, limit=min(limit, MAX_PAGE)))
        yield from page
        limit -= len(page)
        if len(page) < min(limit + len(page), MAX_PAGE):
            return
        query = replace(query, before=page[-1].id)


async def _follow(hub: "Hub", query: "EventQuery", limit: int | None, *, as_json: bool) -> None:
    """Prints events after each commit that moved a counter; each event once."""
    import asyncio
    from dataclasses import replace

    started, shown = query.since, dict[str, datetime]()
    async for _ in hub.store.watch():
        now = hub.clock.now()
        back = now - timedelta(seconds=LOOK_BACK_S)
        since = back if started is None else max(back, started)
        newest = replace(query, since=since)
        found = await asyncio.to_thread(list, _pages(hub, newest, MAX_BEHIND))
        for event in reversed(found):
            if event.id in shown:
                continue
            shown[event.id] = event.received_at
            _print_line(event, as_json=as_json)
            if limit is not None and (limit := limit - 1) == 0:
                return
        shown = {key: at for key, at in shown.items() if at >= back}


def _print_line(event: "Event", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(jsonable(event), ensure_ascii=False))
        return
    state = _state_of(event)
    shown = typer.style(f"{state:20}", fg=_COLOURS.get(event.state.value))
    parts = (
        stamp(event.received_at),
        shown,
        f"{clean(event.source_id):16}",
        f"{clean(event.type):32}",
        clean(event.entity_key or ""),
        event.id,
    )
    typer.echo("  ".join(parts))


def _state(text: str | None) -> Any:
    from inkwire.model.event import EventState

    chosen = _choice(text, [state.value for state in EventState], "state")
    return EventState(chosen) if chosen else None


def _choice(text: str | None, known: list[str], what: str) -> str | None:
    if text is not None and text not in known:
        raise InvalidInput(f"There is no {what} {text!r}; there are: {', '.join(known)}.")
    return text


def _moment(text: str | None, now: datetime) -> datetime | None:
    from inkwire.cli.signed import moment

    return None if text is None else moment(text, now)


def _state_of(event: "Event") -> str:
    return f"{event.state.value}{' (test)' if event.test else ''}"


def _no_body(event: "Event") -> str:
    if event.duplicate_of:
        return f"A duplicate keeps no body; the first one holds it: {event.duplicate_of}."
    return "The body is no longer kept."


def _everything(hub: "Hub", event: "Event") -> dict[str, Any]:
    from inkwire.model.request import shown_headers, shown_query

    opened_receipt = hub.store.inbound.open_receipt(event.receipt_id)
    shown: dict[str, Any] = jsonable(event)
    return shown | {
        "receipt": jsonable(opened_receipt.receipt),
        "query": shown_query(opened_receipt.query),
        "headers": shown_headers(opened_receipt.headers),
        "body": jsonable(opened_receipt.body),
        "terms": jsonable(hub.store.events.terms(event.id)),
        "deliveries": [other.id for other in hub.store.events.deliveries(event)],
    }


def _print_event(hub: "Hub", event: "Event") -> None:
    now = hub.clock.now()
    whole = hub.store.inbound.open_receipt(event.receipt_id)
    receipt = whole.receipt
    others = [other.id for other in hub.store.events.deliveries(event) if other.id != event.id]
    typer.secho(f"{clean(event.type)}  {_state_of(event)}", bold=True)
    facts(
        [
            ("event", event.id),
            ("entity", event.entity_key),
            ("source", event.source_id),
            ("received", f"{stamp(event.received_at)} ({ago(event.received_at, now)})"),
            ("occurred", event.occurred_at and stamp(event.occurred_at)),
            ("duplicate of", event.duplicate_of),
            (
                "conflict",
                "another body under the same id: look at both" if event.conflict else None,
            ),
            ("other deliveries", ", ".join(others) or None),
            ("handed on", stamp(event.dispatched_at) if event.dispatched_at else "not yet"),
            ("failed", event.dispatch_error),
            ("receipt", f"{receipt.id}, {receipt.state.value}"),
            ("proven by", f"secret {receipt.secret_id}, over the {receipt.matched_on.value} body"),
            ("signed at", receipt.signed_at and stamp(receipt.signed_at)),
            ("quarantine", receipt.quarantine and receipt.quarantine.value),
            ("released by", receipt.released_by),
            ("from", receipt.remote),
            ("found by", ", ".join(t.value for t in hub.store.events.terms(event.id)) or None),
        ]
    )
    _print_request(event, whole)


def _print_request(event: "Event", whole: Any) -> None:
    from inkwire.model.request import shown_headers

    typer.echo()
    for name, value in shown_headers(whole.headers):
        typer.echo(f"{clean(name)}: {clean(value)}")
    typer.echo()
    if whole.body is None:
        note(_no_body(event))
        return
    try:
        typer.echo(json.dumps(json.loads(whole.body), indent=2, ensure_ascii=False))
    except ValueError:
        text = whole.body.decode("utf-8", "replace")
        typer.echo("\n".join(clean(line) for line in text.splitlines()))
