"""`inkwire crm field-map` and `inkwire crm dry-run`: the mapped fields, checked and tried."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkwire.cli.acting_views import integration_number
from inkwire.cli.listing import JsonOption
from inkwire.cli.output import clean, print_json, table
from inkwire.cli.runs import PATIENCE_S, answered
from inkwire.cli.shell import examples, fail, note, opened, operator, read_bytes
from inkwire.errors import InvalidInput
from inkwire.model.work import CommandState

if TYPE_CHECKING:
    from inkwire.integrations.field_map_desk import MapView
    from inkwire.model.work import Command

IntegrationArgument = Annotated[str, typer.Argument(metavar="INTEGRATION", help="int_7, or 7.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the answer.")]

_FIELD_MAP = examples("inkwire crm field-map int_7", "inkwire crm field-map int_7 --ask")
_DRY_RUN = examples("inkwire crm dry-run int_7", "inkwire crm dry-run int_7 --map map.txt -n 50")


def register(group: typer.Typer) -> None:
    """Hangs the commands into `inkwire crm`."""
    group.command("field-map", epilog=_FIELD_MAP)(field_map)
    group.command("dry-run", epilog=_DRY_RUN)(dry_run)


def field_map(
    ctx: typer.Context,
    integration: IntegrationArgument,
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Ask both vendors for their fields first; needs a worker."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the mapped fields, and what is wrong with each line.

    They are changed in the console, or by: inkwire integrations set int_7 --setting
    field_map=@map.txt
    """
    with opened(ctx) as hub:
        number = integration_number(integration)
        if ask:
            asked = answered(hub, hub.field_maps.look(operator(), number), PATIENCE_S)
            if asked.state is CommandState.NEW:
                note("No worker has answered yet: is the hub running?")
            elif asked.state is CommandState.FAILED:
                note(asked.error)
        view = hub.field_maps.shown(operator(), number)
    if as_json:
        print_json(_facts(view))
        return
    found: dict[int, list[str]] = {}
    for at, one in view.findings:
        found.setdefault(at, []).append(one.text)
    rows = [(at, line, " ".join(found.get(at, ()))) for at, line in enumerate(view.lines, start=1)]
    table(("", "line", "problems"), rows, empty="No field is mapped.")
    for text in (*found.get(0, ()), view.facts.box_problem):
        if text:
            note(text)
    if view.stale and view.lines:
        note("The vendors were not asked lately, so only the lines themselves were checked: --ask")


def dry_run(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    integration: IntegrationArgument,
    map_file: Annotated[
        str, typer.Option("--map", help="File with other lines to try; `-`: stdin.")
    ] = "",
    records: Annotated[
        int, typer.Option("--records", "-n", help="How many mapped records, at most 50.")
    ] = 10,
    wait: WaitOption = True,
    as_json: JsonOption = False,
) -> None:
    """Show what the field map would write where, on real records; nothing is written.

    A worker must be running.
    """
    lines = _lines(map_file) if map_file else None
    with opened(ctx) as hub:
        number = integration_number(integration)
        asked = hub.field_maps.try_out(operator(), number, lines=lines, records=records)
        command = answered(hub, asked, PATIENCE_S if wait else 0)
    if as_json:
        print_json(command)
    else:
        _print_trial(command, waited=wait)
    if wait and command.state is not CommandState.DONE:
        raise typer.Exit(1)


def _print_trial(command: "Command", *, waited: bool) -> None:
    if command.state is CommandState.FAILED:
        fail(command.error)
        return
    if command.state is CommandState.NEW:
        typer.echo(f"Asked for as {command.id}.")
        if waited:
            fail("No worker has answered yet: is the hub running? Ask again later.")
        return
    found = command.result
    rows = [
        (one["record"] or one["record_id"], *row) for one in found["records"] for row in _rows(one)
    ]
    columns = ("record", "field", "in Salesforce", "Box has", "Salesforce has", "what", "")
    table(columns, rows, empty="No folder of a mapped object has a record yet.")
    for one in found["problems"]:
        where = f"Line {one['line']}: " if one["line"] else ""
        note(clean(f"{where}{one['text']}"))
    typer.echo(f"{len(found['records'])} records were read, nothing was written.")


def _rows(record: "dict[str, Any]") -> list[tuple[str, ...]]:
    """A record's fields, or the one row that says why there are none."""
    if record["problem"]:
        return [("", "", "", "", "failed", record["problem"])]
    return [
        (
            one["field"],
            one["target"],
            one["box"],
            one["salesforce"],
            one["verdict"],
            one["note"] or (f"→ {one['value']}" if one["value"] is not None else ""),
        )
        for one in record["fields"]
    ]


def _lines(path: str) -> list[str]:
    """The lines of a file. Raises InvalidInput if it is no text, NotFound if it is not there."""
    try:
        return read_bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} must be text in UTF-8.") from None


def _facts(view: "MapView") -> "dict[str, Any]":
    return {
        "integration_id": view.integration.label,
        "template": view.template,
        "lines": list(view.lines),
        "problems": [
            {"line": at, "text": one.text, "fails": one.fails} for at, one in view.findings
        ],
        "described": not view.stale,
    }
