"""`inkwire verify`: would this hub have accepted that request, and if not, why?"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkwire.cli.output import ago, facts, print_json, stamp, table
from inkwire.cli.shell import examples, note, read_bytes
from inkwire.cli.signer import (
    RecipeOption,
    RoleOption,
    SecretOption,
    SettingOption,
    SourceOption,
    signer,
)
from inkwire.errors import InvalidInput, Unparsable

if TYPE_CHECKING:
    from inkwire.cli.captured import Capture
    from inkwire.cli.signed import Sender
    from inkwire.model.event import ParsedEvent
    from inkwire.model.verdict import Accepted, Refused


def register(app: typer.Typer) -> None:
    """Hangs the command into `app`."""
    app.command(
        rich_help_panel="Try it",
        epilog=examples(
            "inkwire verify box request.txt --secret file:key.txt",
            "inkwire send box URL --secret KEY --dry-run --raw | inkwire verify box --secret KEY",
            "inkwire verify bolosign --source contracts --header 'x-bolosign-signature: …' "
            "--header 'x-bolosign-timestamp: …' --body body.json --now 2026-03-01T12:00:00Z",
        ),
    )(verify)


def verify(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    provider: Annotated[str, typer.Argument(help="Provider that is said to have sent it.")],
    capture: Annotated[
        str,
        typer.Argument(help="File with the request as HTTP text; - for standard input."),
    ] = "-",
    secret: SecretOption = None,
    secret_role: RoleOption = None,
    source: SourceOption = None,
    recipe: RecipeOption = None,
    setting: SettingOption = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", help="`Name: value`, instead of a capture; repeat it."),
    ] = None,
    body: Annotated[
        str | None, typer.Option("--body", help="File with the body, with --header.")
    ] = None,
    query: Annotated[str, typer.Option(help="Query of the URL, with --header.")] = "",
    now: Annotated[
        str | None,
        typer.Option(help="Time to judge at: RFC 3339 or a shift such as -2d. Default: now."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Check a captured request against a secret: verdict, reason, hint, and the events in it.

    The body must be the bytes as they came: a reformatted body has another signature. Exit code 0
    if it is accepted, 1 if it is refused.
    """
    from inkwire.cli.captured import from_parts, parse_http
    from inkwire.cli.signed import moment
    from inkwire.clock import SystemClock
    from inkwire.model.verdict import Accepted

    sender = signer(source, secret, secret_role, recipe, setting).sender(ctx, provider)
    if header:
        found = from_parts(header, read_bytes(body) if body else b"", query)
    elif body:
        raise InvalidInput("--body goes with --header; a capture holds its own body.")
    else:
        found = parse_http(read_bytes(capture))
    at = moment(now, SystemClock().now())
    verdict = sender.receiver.verify(found.request, sender.secrets, sender.settings, at)
    if isinstance(verdict, Accepted):
        _tell_accepted(sender, found, verdict, at, as_json=as_json)
        return
    _tell_refused(sender, found, verdict, as_json=as_json)
    raise typer.Exit(1)


def _tell_accepted(
    sender: "Sender", found: "Capture", verdict: "Accepted", at: datetime, *, as_json: bool
) -> None:
    body = found.request.body if verdict.canonical is None else verdict.canonical
    problem = None
    events: tuple[ParsedEvent, ...] = ()
    try:
        events = sender.receiver.parse(found.request, body, sender.settings)
    except Unparsable as error:
        problem = error.message
    if as_json:
        print_json(
            {
                "verdict": "accepted",
                "secret": verdict.secret_id,
                "matched_on": verdict.matched_on,
                "signed_at": verdict.signed_at,
                "unparsable": problem,
                "events": [_event_facts(event) for event in events],
                "notes": found.notes,
            }
        )
        return
    typer.secho("Accepted", fg=typer.colors.GREEN, bold=True)
    signed = verdict.signed_at
    facts(
        [
            ("signed with", verdict.secret_id),
            ("signature over", verdict.matched_on),
            ("signed at", f"{stamp(signed)} ({ago(signed, at)})" if signed else None),
        ]
    )
    for text in found.notes:
        note(text)
    if problem:
        note(f"The body cannot be read, so it would be kept as unparsable: {problem}")
        return
    rows = [
        (event.type, event.entity_key, event.occurred_at and stamp(event.occurred_at),
         event.dedupe_kind.value, "test" if event.test else "")
        for event in events
    ]  # fmt: skip
    table(("event", "entity", "occurred at", "key", ""), rows, empty="It holds no events.")


def _event_facts(event: "ParsedEvent") -> dict[str, Any]:
    return {
        "type": event.type,
        "entity_key": event.entity_key,
        "occurred_at": event.occurred_at,
        "dedupe_kind": event.dedupe_kind,
        "test": event.test,
        "document_ids": event.document_ids,
    }


def _tell_refused(sender: "Sender", found: "Capture", refused: "Refused", *, as_json: bool) -> None:
    hint = sender.receiver.hint(refused)
    signed_at = refused.proof.signed_at if refused.proof else None
    if as_json:
        print_json(
            {
                "verdict": "refused",
                "reason": refused.reason,
                "detail": refused.detail,
                "hint": hint,
                "signature_right": refused.proof is not None,
                "signed_at": signed_at,
                "notes": found.notes,
            }
        )
        return
    typer.secho(f"Refused: {refused.reason.value}", fg=typer.colors.RED, bold=True)
    typer.echo(refused.detail)
    typer.echo(hint)
    for text in found.notes:
        note(text)
    if signed_at:
        note(
            f"The signature itself is right. To judge it at its own time: --now {stamp(signed_at)}"
        )
