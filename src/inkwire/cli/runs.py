"""`inkwire runs …`: what integrations did, do and failed at, and what a person does about it."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from inkwire.cli.acting_views import integration_number, print_ledger, print_work, print_works
from inkwire.cli.listing import JsonOption, LimitOption, pages
from inkwire.cli.output import clean, print_json, table
from inkwire.cli.shell import examples, fail, note, opened, operator
from inkwire.errors import InvalidInput
from inkwire.model.work import CommandState, ErrorKind, LedgerState, ParkCause, WorkState

if TYPE_CHECKING:
    from inkwire.hub import Hub
    from inkwire.model.work import Command, Work

group = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="What integrations do.")

#: Seconds that `dry-run` waits for the worker.
PATIENCE_S = 30.0
IdArgument = Annotated[str, typer.Argument(metavar="WORK", help="The work's id.")]
IntegrationOption = Annotated[
    str | None, typer.Option("--integration", help="Only of this integration: int_7, or 7.")
]
KindOption = Annotated[ErrorKind | None, typer.Option("--failed", help="Only those failed so.")]


def register(app: typer.Typer) -> None:
    """Hangs the group into `app`."""
    app.add_typer(group, name="runs", rich_help_panel="Act")


@group.command(
    "list",
    epilog=examples("inkwire runs list --state dead", "inkwire runs list --integration int_7"),
)
def list_runs(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    integration: IntegrationOption = None,
    state: Annotated[
        WorkState | None, typer.Option(help="Only in this state; `dead`: the dead letters.")
    ] = None,
    parked: Annotated[ParkCause | None, typer.Option(help="Only parked for this cause.")] = None,
    about: Annotated[str | None, typer.Option(help="Only about this, e.g. order:ID.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List work, newest first."""
    from dataclasses import replace

    from inkwire.store.acting import WorkQuery

    query = WorkQuery(
        integration_id=None if integration is None else integration_number(integration),
        state=state,
        park_cause=parked,
        entity_key=about,
    )
    with opened(ctx) as hub:
        found = pages(
            lambda last, size: hub.work.page(
                operator(), replace(query, before=last.id if last else None, limit=size)
            ),
            limit,
        )
    print_works(found, as_json=as_json)


@group.command(epilog=examples("inkwire runs show wrk_…"))
def show(ctx: typer.Context, work: IdArgument, as_json: JsonOption = False) -> None:
    """Show one work with every step, call and create of its runs."""
    with opened(ctx) as hub:
        print_work(hub.work.get(operator(), work), as_json=as_json)


@group.command(
    epilog=examples(
        "inkwire runs retry wrk_…",
        "inkwire runs retry --integration int_7",
        "inkwire runs retry --integration int_7 --failed permanent",
    )
)
def retry(
    ctx: typer.Context,
    work: Annotated[str | None, typer.Argument(metavar="WORK", help="The work's id.")] = None,
    integration: IntegrationOption = None,
    failed: KindOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start what failed, is parked or was cancelled again; or an integration's dead letters.

    At most 200 dead letters are started at a time.
    """
    if (work is None) is (integration is None) or (work is not None and failed is not None):
        raise InvalidInput("Name either one work, or --integration and perhaps --failed.")
    with opened(ctx) as hub:
        if work is not None:
            _started(hub.work.retry(operator(), work), as_json=as_json)
            return
        number = integration_number(integration or "")
        done = hub.work.retry_dead(operator(), integration_id=number, error_kind=failed)
    if as_json:
        print_json(done)
        return
    typer.echo(f"{len(done.work_ids)} dead letters are started again.")
    if done.more:
        note("There are others; run the same command again.")


@group.command(epilog=examples("inkwire runs replay wrk_…"))
def replay(ctx: typer.Context, work: IdArgument, as_json: JsonOption = False) -> None:
    """Run what is done once more. What was made at the vendor is not made twice."""
    with opened(ctx) as hub:
        _started(hub.work.replay(operator(), work), as_json=as_json)


@group.command(epilog=examples("inkwire runs upkeep int_7 poll_records"))
def upkeep(
    ctx: typer.Context,
    integration: Annotated[str, typer.Argument(metavar="INTEGRATION", help="int_7, or 7.")],
    workflow: Annotated[str, typer.Argument(help="What the clock does, e.g. keep_webhook.")],
    as_json: JsonOption = False,
) -> None:
    """Do now what the clock does for an integration every so often."""
    with opened(ctx) as hub:
        number = integration_number(integration)
        _started(hub.work.upkeep_now(operator(), number, workflow), as_json=as_json)


@group.command(epilog=examples("inkwire runs cancel wrk_…"))
def cancel(ctx: typer.Context, work: IdArgument) -> None:
    """Cancel what waits; a run under way ends before its next step."""
    with opened(ctx) as hub:
        found = hub.work.cancel(operator(), work)
    ended = found.state is WorkState.CANCELLED
    typer.echo(f"{work} is cancelled." if ended else f"{work} ends before its next step.")


@group.command("dry-run", epilog=examples("inkwire runs dry-run wrk_…"))
def dry_run(
    ctx: typer.Context,
    work: IdArgument,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the answer.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Show what the next run would call and keep; nothing is sent. A worker must be running."""
    with opened(ctx) as hub:
        asked = hub.work.dry_run(operator(), work)
        command = answered(hub, asked, PATIENCE_S if wait else 0)
    if as_json:
        print_json(command)
    else:
        _print_plan(command, waited=wait)
    if wait and command.state is not CommandState.DONE:
        raise typer.Exit(1)


@group.command(epilog=examples("inkwire runs ledger --state doubt"))
def ledger(
    ctx: typer.Context,
    state: Annotated[
        LedgerState | None, typer.Option(help="Only in this state; `doubt`: yours to decide.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what was made at vendors, and how sure we are of each."""
    with opened(ctx) as hub:
        print_ledger(hub.work.ledger(operator(), state=state, limit=limit), as_json=as_json)


@group.command(
    epilog=examples(
        "inkwire runs decide sign_request/… repeat",
        "inkwire runs decide sign_request/… adopt --remote-id 12345",
    )
)
def decide(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(help="The ledger's key; see `runs ledger`.")],
    decision: Annotated[
        str, typer.Argument(metavar="repeat|abandon|adopt", help="Your word on it.")
    ],
    remote_id: Annotated[
        str | None, typer.Option(help="With adopt: the id that you found at the vendor.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Decide on a create whose outcome nobody knows; then its work goes on.

    repeat: nothing was made, send it once more. abandon: leave it. adopt: it was made.
    """
    from inkwire.engine.desk import Decision

    if decision not in list(Decision):
        raise InvalidInput(f"{decision!r} is no decision; write repeat, abandon or adopt.")
    with opened(ctx) as hub:
        entry = hub.work.decide(operator(), key, Decision(decision), remote_id=remote_id)
    if as_json:
        print_json(entry)
    else:
        typer.echo(f"Noted. See how it goes on: inkwire runs show {entry.work_id}")


# --- inside


def _started(work: "Work", *, as_json: bool) -> None:
    if as_json:
        print_json(work)
    else:
        typer.echo(f"{work.id} starts as {work.run_id}; see `inkwire runs show {work.id}`.")


def answered(hub: "Hub", command: "Command", patience_s: float) -> "Command":
    """The command once it is answered, or as it stands when patience ends."""
    give_up_at = time.monotonic() + patience_s
    while True:
        found = hub.work.command(operator(), command.id)
        if found.state is not CommandState.NEW or time.monotonic() >= give_up_at:
            return found
        time.sleep(0.1)


def _print_plan(command: "Command", *, waited: bool) -> None:
    """What a dry run found: each thing that it would do, and how it would end."""
    if command.state is CommandState.FAILED:
        fail(command.error)
    elif command.state is CommandState.NEW:
        typer.echo(f"Asked for as {command.id}.")
        if waited:
            fail("No worker has answered yet: is the hub running? Ask again later.")
    else:
        found = command.result
        rows = [(one["step"], one["plan"]) for one in found["plans"]]
        table(("step", "what it would do"), rows, empty="It would do nothing outside.")
        typer.echo(f"Then: {found['state']}. {clean(found['note'])}")
