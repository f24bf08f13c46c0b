"""`inkwire crm …`: folders and records, what arrived in Salesforce, what waits for a record."""

from typing import TYPE_CHECKING, Annotated

import typer

from inkwire.cli import field_map
from inkwire.cli.acting_views import integration_number, print_works
from inkwire.cli.listing import JsonOption, LimitOption, pages
from inkwire.cli.output import jsonable, print_json, stamp, table
from inkwire.cli.shell import examples, note, opened, operator
from inkwire.errors import InvalidInput
from inkwire.model.crm import ActivityState, AttachmentState, FolderState

if TYPE_CHECKING:
    from typing import Any

    from inkwire.hub import Hub
    from inkwire.model.crm import Attachment, BulkJob
    from inkwire.store.crm import AttachmentQuery

group = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Box and Salesforce in step."
)

IntegrationOption = Annotated[
    str | None, typer.Option("--integration", help="Only of this integration: int_7, or 7.")
]
RecordOption = Annotated[
    str | None, typer.Option("--record", help="Only of this record: its id of 15 or 18 characters.")
]
FolderArgument = Annotated[str, typer.Argument(metavar="FOLDER", help="The folder's id in Box.")]


def register(app: typer.Typer) -> None:
    """Hangs the group into `app`."""
    field_map.register(group)
    app.add_typer(group, name="crm", rich_help_panel="Act")


@group.command(
    epilog=examples("inkwire crm folders --state unmapped", "inkwire crm folders --name acme")
)
def folders(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    integration: IntegrationOption = None,
    state: Annotated[FolderState | None, typer.Option(help="Only in this state.")] = None,
    record: RecordOption = None,
    name: Annotated[str, typer.Option(help="Beginning of the folder's or record's name.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List folders in Box and the records that they stand for."""
    from inkwire.store.crm import FolderQuery

    query = FolderQuery(
        integration_id=_number(integration),
        state=state,
        record_id=_record(record),
        name=name,
        limit=limit,
    )
    with opened(ctx) as hub:
        found = hub.crm.folders(operator(), query)
    if as_json:
        print_json([_facts(one) for one in found])
        return
    rows = [
        (one.folder_id, one.path or one.name, one.state.value, one.object, one.record_id,
         one.record_name, one.synced_at and stamp(one.synced_at), one.note)
        for one in found
    ]  # fmt: skip
    columns = ("folder", "path", "state", "object", "record", "name", "last sync", "note")
    table(columns, rows, empty="No such folder is known.")


@group.command(
    epilog=examples(
        "inkwire crm arrivals MSA",
        "inkwire crm arrivals 1234567890",
        "inkwire crm arrivals 006Dn000009xYzAIAU --state failed",
    )
)
def arrivals(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            help="Beginning of the file's name, or the id of a file, a version or a record."
        ),
    ] = "",
    integration: IntegrationOption = None,
    state: Annotated[AttachmentState | None, typer.Option(help="Only in this state.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """Did this version arrive, where, when, and with what proof?"""
    from inkwire.store.crm import AttachmentQuery

    query = AttachmentQuery(integration_id=_number(integration), state=state)
    with opened(ctx) as hub:
        found = _arrivals(hub, query, what, limit)
    if as_json:
        print_json([_facts(one) for one in found])
        return
    rows = [
        (one.name, one.version_number or None, one.state.value, one.record_id, one.size, one.md5,
         one.document_id or one.content_version_id, one.verified_at and stamp(one.verified_at),
         one.note)
        for one in found
    ]  # fmt: skip
    columns = ("file", "version", "state", "record", "bytes", "md5", "in Salesforce", "verified",
               "note")  # fmt: skip
    table(columns, rows, empty="No such version has reached a record. See: inkwire crm unmapped")


@group.command(epilog=examples("inkwire crm tasks --state failed"))
def tasks(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    integration: IntegrationOption = None,
    state: Annotated[ActivityState | None, typer.Option(help="Only in this state.")] = None,
    record: RecordOption = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List Tasks that stand in Salesforce, or are to."""
    from inkwire.store.contract import MAX_PAGE

    with opened(ctx) as hub:
        found = pages(
            lambda last, size: hub.crm.activities(
                operator(),
                integration_id=_number(integration),
                state=state,
                record_id=_record(record),
                before=last.id if last else None,
                limit=size,
            ),
            limit,
        )
        jobs: dict[str, BulkJob] = {}
        for start in range(0, len(found), MAX_PAGE):
            jobs |= hub.crm.jobs_of(operator(), found[start : start + MAX_PAGE])
    job = {one.id: jobs[one.batch_id].job_id for one in found if one.batch_id in jobs}
    if as_json:
        print_json([{**_facts(one), "job_id": job.get(one.id, "")} for one in found])
        return
    rows = [
        (one.id, one.state.value, one.subject, one.what_id, one.who_id, one.task_id,
         job.get(one.id), one.note)
        for one in found
    ]  # fmt: skip
    columns = ("id", "state", "subject", "on", "with", "task", "Bulk job", "note")
    table(columns, rows, empty="No such Task.")


@group.command(epilog=examples("inkwire crm unmapped", "inkwire crm wake int_7"))
def unmapped(
    ctx: typer.Context,
    integration: IntegrationOption = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List work that waits until a folder's record is known."""
    with opened(ctx) as hub:
        found = pages(
            lambda last, size: hub.crm.unmapped(
                operator(),
                integration_id=_number(integration),
                before=last.id if last else None,
                limit=size,
            ),
            limit,
        )
    print_works(found, as_json=as_json)


@group.command("map", epilog=examples("inkwire crm map int_7 9876543210 006Dn000009xYzAIAU"))
def map_folder(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    integration: Annotated[str, typer.Argument(metavar="INTEGRATION", help="int_7, or 7.")],
    folder: FolderArgument,
    record: Annotated[str, typer.Argument(metavar="RECORD", help="The record's id.")],
    object_name: Annotated[
        str, typer.Option("--object", help="API name, for objects of your own organisation.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Say which record a folder is; what waited for that is started again."""
    with opened(ctx) as hub:
        kept = hub.crm.map_folder(
            operator(),
            integration_number(integration),
            folder,
            record_id=record,
            object_name=object_name,
        )
    if as_json:
        print_json(_facts(kept))
    else:
        typer.echo(f"Folder {kept.folder_id} is {kept.object} {kept.record_id}.")


@group.command(epilog=examples("inkwire crm look int_7 9876543210"))
def look(
    ctx: typer.Context,
    integration: Annotated[str, typer.Argument(metavar="INTEGRATION", help="int_7, or 7.")],
    folder: FolderArgument,
) -> None:
    """Forget which record a folder is, and ask Box and Salesforce anew."""
    with opened(ctx) as hub:
        work = hub.crm.look_again(operator(), integration_number(integration), folder)
    typer.echo(f"Asked for. See how it goes on: inkwire runs show {work.id}")


@group.command(epilog=examples("inkwire crm wake int_7"))
def wake(
    ctx: typer.Context,
    integration: Annotated[str, typer.Argument(metavar="INTEGRATION", help="int_7, or 7.")],
) -> None:
    """Start what waits for a folder's record again; what finds none waits again."""
    with opened(ctx) as hub:
        count = hub.crm.wake(operator(), integration_number(integration))
    typer.echo(f"{count} started again." if count else "Nothing waits for a folder's record.")


@group.command(epilog=examples("inkwire crm backlog int_7"))
def backlog(
    ctx: typer.Context,
    integration: Annotated[str, typer.Argument(metavar="INTEGRATION", help="int_7, or 7.")],
    as_json: JsonOption = False,
) -> None:
    """Show how far an integration is, when it will be done, and what of the day's calls is used."""
    with opened(ctx) as hub:
        one = hub.integrations.get(operator(), integration_number(integration))
        found = hub.crm.backlog(operator(), one.id)
        folders = hub.crm.folder_counts(operator(), one.id)
        second = one.second_connection_id
        usage = hub.crm.usage(operator(), second) if second else None
    if as_json:
        print_json({"backlog": found, "folders": folders, "usage": usage})
        return
    rows = [
        *(("work", state.value, count) for state, count in found.works.items() if count),
        *(("arrivals", state.value, count) for state, count in found.attachments.items() if count),
        *(("Tasks", state.value, count) for state, count in found.activities.items() if count),
        *(("folders", state.value, count) for state, count in folders.items() if count),
    ]
    table(("what", "state", "count"), rows, empty="It has nothing to do, and has done nothing yet.")
    for job in found.jobs:
        if job.ended_at is None:
            at = f"Salesforce says {job.said}" if job.said else "it is being prepared"
            name = job.job_id or job.batch_id
            note(f"Bulk job {name}: {job.processed} of {job.size} Tasks, {at}.")
    if found.ends_at is not None:
        note(f"{found.per_minute:.1f} a minute; done about {stamp(found.ends_at)}.")
    if usage is not None:
        note(f"Salesforce: {usage.used} of {usage.most} calls of the day are used.")


# --- inside


def _number(integration: str | None) -> int | None:
    return None if integration is None else integration_number(integration)


def _record(given: str | None) -> str | None:
    """The id with 18 characters. Raises InvalidInput."""
    from inkwire.providers.salesforce.standard import whole_id

    if given is None:
        return None
    whole = whole_id(given)
    if whole is None:
        raise InvalidInput(f"{given!r} is no id of a record: that has 15 or 18 characters.")
    return whole


def _arrivals(hub: "Hub", query: "AttachmentQuery", what: str, limit: int) -> "list[Attachment]":
    """A number is a file's id, else a version's, else how a name begins."""
    from dataclasses import replace

    from inkwire.providers.salesforce.standard import whole_id

    record = whole_id(what)
    ways = [replace(query, name=what)]
    if record is not None:
        ways = [replace(query, record_id=record)]
    elif what.isascii() and what.isdigit():
        ways = [replace(query, file_id=what), replace(query, version_id=what), *ways]
    for way in ways:
        if found := _pages_of(hub, way, limit):
            return found
    return []


def _pages_of(hub: "Hub", query: "AttachmentQuery", limit: int) -> "list[Attachment]":
    from dataclasses import replace

    return pages(
        lambda last, size: hub.crm.attachments(
            operator(), replace(query, before=last.id if last else None, limit=size)
        ),
        limit,
    )


def _facts(one: object) -> "dict[str, Any]":
    """Its fields as JSON values, the integration by its label."""
    shown: dict[str, Any] = jsonable(one)
    return shown | {"integration_id": f"int_{shown['integration_id']}"}
