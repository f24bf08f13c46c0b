"""`inkwire webhooks test|deliveries|recover|replay-missing`: what is sent to one webhook."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from inkwire.cli import webhooks
from inkwire.cli.listing import (
    JsonOption,
    LimitOption,
    SinceOption,
    UntilOption,
    moment_of,
    pages,
)
from inkwire.cli.output import print_json
from inkwire.cli.shell import examples, fail, given_data, opened, operator
from inkwire.cli.webhook_views import print_deliveries, print_delivery, print_job
from inkwire.cli.webhooks import IdArgument, group
from inkwire.errors import InvalidInput
from inkwire.model.job import JobKind

if TYPE_CHECKING:
    from inkwire.delivery.log import DeliveryDetail
    from inkwire.hub import Hub

#: Seconds that `test` waits for the worker.
TEST_PATIENCE_S = 20.0


def register(app: typer.Typer) -> None:
    """Hangs the group of `inkwire.cli.webhooks`, in which these commands are, into `app`."""
    webhooks.register(app)


@group.command(
    "test",
    epilog=examples(
        "inkwire webhooks test 100001", "inkwire webhooks test 100001 --data @payload.json"
    ),
)
def try_out(
    ctx: typer.Context,
    webhook: IdArgument,
    data: Annotated[
        str | None, typer.Option(help="Payload: @FILE, - for stdin, or JSON; else the example.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for what the endpoint answers.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Send a test to one webhook and show the answer. Exit code 1 if it was not 2xx."""
    from inkwire.model.message import AttemptResult, MessageOrigin

    with opened(ctx) as hub:
        found = hub.webhooks.get(operator(), webhook)
        if data is None:
            payload = hub.publisher.sample(found)
        else:
            payload = given_data(data)
            hub.catalogue.check_payload(found.topic, payload)
        sent = hub.publisher.deliver_to(operator(), found, payload, origin=MessageOrigin.TEST)
        detail = _tried(hub, sent, TEST_PATIENCE_S if wait else 0)
    if as_json:
        print_json(detail)
    else:
        print_delivery(detail)
    if wait and not detail.attempts:
        fail("It was not tried yet: is the hub running, and the webhook active?")
    if wait and not (detail.attempts and detail.attempts[-1].result is AttemptResult.OK):
        raise typer.Exit(1)


@group.command(epilog=examples("inkwire webhooks deliveries 100001 --limit 20"))
def deliveries(
    ctx: typer.Context, webhook: IdArgument, limit: LimitOption = 50, as_json: JsonOption = False
) -> None:
    """List what was sent to a webhook, newest first."""
    from dataclasses import replace

    from inkwire.store.sending import DeliveryQuery

    query = DeliveryQuery(webhook_id=webhook)
    with opened(ctx) as hub:
        hub.webhooks.get(operator(), webhook)
        found = pages(
            lambda last, size: hub.deliveries.deliveries(
                operator(), replace(query, before=last.id if last else None, limit=size)
            ),
            limit,
        )
    print_deliveries(found, as_json=as_json)


DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only count what would be sent; start nothing.")
]


@group.command(epilog=examples("inkwire webhooks recover 100001 --since -2d --dry-run"))
def recover(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    webhook: IdArgument,
    since: SinceOption = "-1d",
    until: UntilOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send everything that was given up since a time again, as a job in the background."""
    _job(ctx, JobKind.RECOVER, webhook, since, until, dry_run=dry_run, as_json=as_json)


@group.command(
    "replay-missing", epilog=examples("inkwire webhooks replay-missing 100001 --since -7d")
)
def replay_missing(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    webhook: IdArgument,
    since: SinceOption = "-1d",
    until: UntilOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send messages of its topic since a time that it never got, as a job in the background."""
    _job(ctx, JobKind.REPLAY_MISSING, webhook, since, until, dry_run=dry_run, as_json=as_json)


# --- inside


def _tried(hub: "Hub", message_id: str, patience_s: float) -> "DeliveryDetail":
    """The delivery of a message for one webhook, after its first attempt if that comes in time."""
    delivery = hub.deliveries.only_delivery(operator(), message_id)
    if delivery is None:
        raise InvalidInput("The test was accepted but has no delivery; look at the hub's log.")
    give_up_at = time.monotonic() + patience_s
    while True:
        detail = hub.deliveries.delivery(operator(), delivery.id)
        if detail.attempts or time.monotonic() >= give_up_at:
            return detail
        time.sleep(0.1)


def _job(  # what both commands say
    ctx: typer.Context,
    kind: JobKind,
    webhook: int,
    since: str | None,
    until: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    with opened(ctx) as hub:
        now = hub.clock.now()
        start, end = moment_of(since or "-1d", now) or now, moment_of(until, now)
        if dry_run:
            count = hub.jobs.count(operator(), kind, webhook, since=start, until=end)
            if as_json:
                print_json({"count": count})
            else:
                typer.echo(f"{count} deliveries would be made.")
            return
        job = hub.jobs.start(operator(), kind, webhook, since=start, until=end)
    print_job(job, as_json=as_json)
