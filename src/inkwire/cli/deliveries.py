"""`inkwire publish`, `inkwire deliveries …`, `inkwire jobs …`: what was sent, and sending it."""

from typing import Annotated

import typer

from inkwire.cli.listing import (
    ApplicationOption,
    JsonOption,
    LimitOption,
    SinceOption,
    UntilOption,
    moment_of,
    pages,
)
from inkwire.cli.output import print_json, stamp, table
from inkwire.cli.shell import examples, given_data, note, opened, operator
from inkwire.cli.webhook_views import (
    print_attempt,
    print_deliveries,
    print_delivery,
    print_job,
)
from inkwire.errors import InvalidInput, NotFound
from inkwire.model.message import AttemptResult, DeliveryState

deliveries = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="What was sent.")
jobs = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Long tasks of the worker.")

IdArgument = Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id.")]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]


def register(app: typer.Typer) -> None:
    """Hangs the commands into `app`."""
    app.command(
        rich_help_panel="Send",
        epilog=examples(
            "inkwire publish order.shipped --application app_… --data @order.json",
            "inkwire publish order.shipped --everyone --data '{\"id\": 7}' --idempotency-key s-7",
        ),
    )(publish)
    app.add_typer(deliveries, name="deliveries", rich_help_panel="Send")
    app.add_typer(jobs, name="jobs", rich_help_panel="Send")


def publish(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    topic: Annotated[str, typer.Argument(help="What it is about; see `topics list`.")],
    data: Annotated[str, typer.Option(help="The payload: @FILE, - for stdin, or JSON itself.")],
    application: Annotated[str | None, typer.Option("--application", help="Who gets it.")] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="Every application that may hear the topic.")
    ] = False,
    account: Annotated[str, typer.Option(help="Value of X-BoxC-Account.")] = "",
    document_id: Annotated[
        list[str] | None, typer.Option("--document-id", help="What it is about; repeat it.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key and message again sends nothing twice.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a message: kept durably, then delivered to every webhook that wants it."""
    if (application is None) is not everyone:
        raise InvalidInput("Say who gets it: either --application ID or --everyone.")
    with opened(ctx) as hub:
        ids, new = hub.publisher.publish(
            operator(),
            topic=topic,
            payload=given_data(data),
            application_id=application,
            account=account,
            document_ids=tuple(document_id or ()),
            idempotency_key=idempotency_key,
        )
    if as_json:
        print_json({"ids": ids, "new": new})
        return
    if not new:
        note("The same key and message came before; nothing is sent again.")
    elif not ids:
        note("No application may hear this topic; nothing is sent.")
    for one in ids:
        typer.echo(one)


@deliveries.command(
    "list",
    epilog=examples(
        "inkwire deliveries list --state evicted --since -1d",
        "inkwire deliveries list --message msg_… --json",
    ),
)
def list_deliveries(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    application: ApplicationOption = None,
    webhook: Annotated[int | None, typer.Option(help="Only to this webhook.")] = None,
    message: Annotated[str | None, typer.Option(help="Only of this message.")] = None,
    state: Annotated[DeliveryState | None, typer.Option(help="Only in this state.")] = None,
    result: Annotated[
        AttemptResult | None, typer.Option(help="Only if the last attempt ended so.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List deliveries, newest first."""
    from dataclasses import replace

    from inkwire.store.sending import DeliveryQuery

    with opened(ctx) as hub:
        now = hub.clock.now()
        query = DeliveryQuery(
            application_id=application,
            webhook_id=webhook,
            message_id=message,
            state=state,
            result=result,
            since=moment_of(since, now),
            until=moment_of(until, now),
        )
        found = pages(
            lambda last, size: hub.deliveries.deliveries(
                operator(), replace(query, before=last.id if last else None, limit=size)
            ),
            limit,
        )
    print_deliveries(found, as_json=as_json)


@deliveries.command(
    epilog=examples("inkwire deliveries show dlv_…", "inkwire deliveries show dlv_… --try 1")
)
def show(
    ctx: typer.Context,
    delivery: IdArgument,
    number: Annotated[
        int | None, typer.Option("--try", min=1, help="Show what this try sent and got.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show one delivery with its message and every try; with --try the whole exchange."""
    with opened(ctx) as hub:
        detail = hub.deliveries.delivery(operator(), delivery)
        if number is None:
            if as_json:
                print_json(detail)
            else:
                print_delivery(detail)
            return
        found = next((one for one in detail.attempts if one.number == number), None)
        if found is None:
            raise NotFound(f"{delivery} has no try {number}; it has {len(detail.attempts)}.")
        exchange = hub.deliveries.attempt(operator(), found.id)
    if as_json:
        # Already redacted; print_json alone would leave out what stays out of a repr.
        print_json(
            {
                "attempt": exchange.attempt,
                "request_headers": exchange.request_headers,
                "response_headers": exchange.response_headers,
                "response_body": exchange.response_body,
                "truncated": exchange.truncated,
            }
        )
    else:
        print_attempt(exchange)


@deliveries.command(epilog=examples("inkwire deliveries resend dlv_…"))
def resend(ctx: typer.Context, delivery: IdArgument, as_json: JsonOption = False) -> None:
    """Send again: one that waits is due at once, else the message is delivered anew."""
    with opened(ctx) as hub:
        made = hub.deliveries.resend(operator(), delivery)
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{made.id} is due now; see `inkwire deliveries show {made.id}`.")


@jobs.command("list", epilog=examples("inkwire jobs list"))
def list_jobs(ctx: typer.Context, limit: LimitOption = 50, as_json: JsonOption = False) -> None:
    """List jobs, newest first."""
    with opened(ctx) as hub:
        found = pages(
            lambda last, size: hub.jobs.page(
                operator(), before=last.id if last else None, limit=size
            ),
            limit,
        )
    if as_json:
        print_json(found)
        return
    rows = [
        (one.id, one.kind.value, one.webhook_id, one.state.value, f"{one.done} of {one.total}",
         stamp(one.created_at), one.created_by)
        for one in found
    ]  # fmt: skip
    columns = ("job", "what", "webhook", "state", "done", "began", "by")
    table(columns, rows, empty="There were no jobs yet. See `inkwire webhooks recover --help`.")


@jobs.command("show", epilog=examples("inkwire jobs show job_…"))
def show_job(ctx: typer.Context, job: JobArgument, as_json: JsonOption = False) -> None:
    """Show one job and how far it is."""
    with opened(ctx) as hub:
        print_job(hub.jobs.get(operator(), job), as_json=as_json)


@jobs.command(epilog=examples("inkwire jobs cancel job_…"))
def cancel(ctx: typer.Context, job: JobArgument, as_json: JsonOption = False) -> None:
    """Stop a job; the deliveries that it made stay."""
    with opened(ctx) as hub:
        print_job(hub.jobs.cancel(operator(), job), as_json=as_json)
