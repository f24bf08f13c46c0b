"""How connections, integrations and runs are shown: for people, and as JSON."""

from typing import TYPE_CHECKING, Any

import typer

from inkwire.cli.output import ago, clean, facts, jsonable, print_json, span, stamp, table
from inkwire.cli.shell import note
from inkwire.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inkwire.engine.contract import Problem
    from inkwire.engine.desk import WorkDetail
    from inkwire.integrations.desk import Judged
    from inkwire.model.connection import Connection
    from inkwire.model.source import SettingValue
    from inkwire.model.work import Integration, LedgerEntry, Work
    from inkwire.providers.contract import Check


def integration_number(text: str) -> int:
    """The number in `int_7` or `7`. Raises InvalidInput."""
    digits = text.removeprefix("int_")
    if digits.isascii() and digits.isdigit() and 0 < len(digits) <= 9:
        return int(digits)
    raise InvalidInput(f"{text!r} is no integration; write int_7, or 7.")


# --- connections


def print_connection(one: "Connection", now: "datetime", *, as_json: bool) -> None:
    """A connection, one fact a line; its secrets by name only."""
    if as_json:
        print_json(one)
        return
    expires = one.token_expires_at
    facts(
        [
            ("id", one.id),
            ("name", one.name),
            ("provider", one.provider),
            ("method", one.method),
            *((f"setting {key}", value) for key, value in one.settings.items() if value != ""),
            *((f"secret {role}", f"set {stamp(at)}") for role, at in one.secrets_set.items()),
            ("health", one.health.value.replace("_", " ")),
            ("because", one.health_note or None),
            ("checked", ago(one.health_at, now)),
            ("token expires", None if expires is None else ago(expires, now)),
        ]
    )


def print_checks(checks: "Sequence[Check]", *, as_json: bool) -> None:
    """Each check with ✓ or ✗ and what was found, or what to do."""
    if as_json:
        print_json(checks)
        return
    for one in checks:
        mark = typer.style("✓", fg="green") if one.ok else typer.style("✗", fg="red")
        typer.echo(f"{mark} {clean(one.title)}: {clean(one.detail)}")


# --- integrations


def print_integration(one: "Integration", *, as_json: bool) -> None:
    """An integration, one fact a line."""
    if as_json:
        print_json(integration_facts(one))
        return
    facts(
        [
            ("id", one.label),
            ("name", one.name),
            ("kind", one.kind),
            ("state", one.state.value),
            ("connection", one.connection_id or "none"),
            ("second connection", one.second_connection_id),
            ("sources", ", ".join(one.source_ids) or "none"),
            *((f"setting {key}", _shown(value)) for key, value in one.settings.items()),
            *((f"at the vendor: {key}", value) for key, value in one.remote.items()),
        ]
    )


def _shown(value: "SettingValue") -> object:
    return ("yes" if value else "no") if isinstance(value, bool) else value


def integration_facts(one: "Integration") -> dict[str, Any]:
    """An integration as JSON values, with its label as id."""
    shown: dict[str, Any] = jsonable(one)
    return shown | {"id": one.label}


def print_judged(judged: "Judged", *, as_json: bool) -> None:
    """An integration, and on stderr what its kind has to say about it."""
    if as_json:
        print_json(
            {
                "integration": integration_facts(judged.integration),
                "problems": judged.problems,
            }
        )
        return
    print_integration(judged.integration, as_json=False)
    print_problems(judged.problems)


def print_problems(problems: "Sequence[Problem]") -> None:
    """What blocks and what only warns, one a line, on stderr."""
    for one in problems:
        word = "To be mended before it can be active" if one.blocks else "Warning"
        note(f"{word}: {clean(one.field)}: {clean(one.text)}")


# --- runs


def print_works(found: "Sequence[Work]", *, as_json: bool) -> None:
    """Work, newest first."""
    if as_json:
        print_json([work_facts(one) for one in found])
        return
    rows = [
        (one.id, stamp(one.created_at), f"int_{one.integration_id}", one.workflow, one.entity_key,
         _state(one), one.run_number, one.note)
        for one in found
    ]  # fmt: skip
    columns = ("work", "made", "integration", "workflow", "about", "state", "run", "note")
    table(columns, rows, empty="No such work.")


def work_facts(one: "Work") -> dict[str, Any]:
    """A work row as JSON values, with its run's id and the integration's label."""
    shown: dict[str, Any] = jsonable(one)
    return shown | {"run_id": one.run_id, "integration_id": f"int_{one.integration_id}"}


def _state(one: "Work") -> str:
    return f"{one.state.value} ({one.park_cause.value})" if one.park_cause else one.state.value


def print_work(detail: "WorkDetail", *, as_json: bool) -> None:
    """A work row, its steps, calls and creates."""
    one = detail.work
    if as_json:
        shown: dict[str, Any] = jsonable(detail)
        print_json(shown | {"work": work_facts(one)})
        return
    facts(
        [
            ("work", one.id),
            ("run", one.run_id),
            ("integration", f"int_{one.integration_id}"),
            ("workflow", one.workflow),
            ("about", one.entity_key),
            ("state", _state(one)),
            ("note", one.note or None),
            ("kind of failure", one.error_kind and one.error_kind.value),
            ("due", stamp(one.due_at) if one.state.value in {"new", "parked"} else None),
            ("from", one.origin.value),
            ("inbound event", one.event_id),
            *((key, value) for key, value in one.subject.items()),
            ("executor", one.executor_id),
            ("cancel", "asked for" if one.cancel_asked else None),
        ]
    )
    typer.echo()
    _print_steps(detail)
    _print_calls(detail)
    if detail.ledger:
        typer.echo()
        print_ledger(detail.ledger, as_json=False)


def _print_steps(detail: "WorkDetail") -> None:
    rows = [
        (step.run_id.rpartition("/")[2], step.name, step.attempt, step.result.value,
         span(step.duration_us / 1e6), step.detail)
        for step in detail.steps
    ]  # fmt: skip
    columns = ("run", "step", "try", "result", "took", "what happened")
    table(columns, rows, empty="It has not begun yet.")


def _print_calls(detail: "WorkDetail") -> None:
    rows = [
        (stamp(call.started_at), call.method, call.path,
         "no answer" if call.status is None else call.status, span(call.duration_us / 1e6),
         call.error)
        for call in reversed(detail.calls)
    ]  # fmt: skip
    if rows:
        typer.echo()
        table(("began", "call", "path", "answer", "took", "error"), rows, empty="")


def print_ledger(found: "Sequence[LedgerEntry]", *, as_json: bool) -> None:
    """Creates at vendors, newest change first."""
    if as_json:
        print_json([jsonable(one) | {"integration_id": f"int_{one.integration_id}"}
                    for one in found])  # fmt: skip
        return
    rows = [
        (one.key, one.state.value, one.remote_id, one.sends, one.probes, one.work_id)
        for one in found
    ]
    columns = ("ledger key", "state", "at the vendor", "sent", "searched", "work")
    table(columns, rows, empty="The ledger has no such entries.")
