"""How webhooks, deliveries and jobs are shown: for people, and as JSON."""

from typing import TYPE_CHECKING, Any

import typer

from inkwire.cli.output import ago, clean, facts, jsonable, print_json, stamp, table
from inkwire.cli.shell import operator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inkwire.delivery.log import DeliveryDetail
    from inkwire.hub import Hub
    from inkwire.model.job import Job
    from inkwire.model.message import Delivery, OpenedAttempt
    from inkwire.model.webhook import Webhook, WebhookHealth


def webhook_facts(hub: "Hub", webhook: "Webhook") -> dict[str, Any]:
    """A webhook with its endpoint's health, as JSON values."""
    health = hub.webhooks.health(operator(), [webhook]).get(webhook.id)
    shown: dict[str, Any] = jsonable(webhook)
    return shown | {"health": jsonable(health)}


def print_webhook(hub: "Hub", webhook: "Webhook") -> None:
    """A webhook, one fact a line."""
    now = hub.clock.now()
    health = hub.webhooks.health(operator(), [webhook]).get(webhook.id)
    rate = webhook.rate_per_minute
    facts(
        [
            ("id", webhook.id),
            ("application", webhook.application_id),
            ("topic", webhook.topic),
            ("address", webhook.address),
            ("profile", webhook.profile.value),
            ("state", f"{webhook.state.value}, since {stamp(webhook.state_changed_at)}"),
            ("because", webhook.state_reason),
            ("description", webhook.description or None),
            ("documents", ", ".join(webhook.document_ids) or "all"),
            *((f"filter {one.path}", f"{one.op.value} {one.value!r}") for one in webhook.filters),
            ("own headers", ", ".join(webhook.header_names) or "none"),
            ("rate", f"{rate} a minute" if rate else "no limit"),
            ("at the same time", webhook.max_in_flight),
            *((f"key {key.id}", _key_line(key.expires_at)) for key in webhook.keys),
            ("endpoint", health_line(health, now)),
        ]
    )


def _key_line(expires_at: "datetime | None") -> str:
    return f"until {stamp(expires_at)}" if expires_at else "signs first"


def health_line(health: "WebhookHealth | None", now: "datetime") -> str:
    """How an endpoint has been doing, in a few words."""
    if health is None or (health.last_success_at is None and health.last_failure_at is None):
        return "new"
    if not health.failures:
        return f"ok {ago(health.last_success_at, now)}"
    line = f"{health.failures} failures, last ok {ago(health.last_success_at, now)}"
    if health.breaker_until and health.breaker_until > now:
        line += f", breaker open, next try {ago(health.breaker_until, now)}"
    return line


def print_deliveries(found: "Sequence[Delivery]", *, as_json: bool) -> None:
    """Deliveries, newest first."""
    if as_json:
        print_json(found)
        return
    rows = [
        (one.id, stamp(one.created_at), one.webhook_id, one.topic, one.state.value, one.attempts,
         _last(one), stamp(one.due_at) if one.state.value == "waiting" else "")
        for one in found
    ]  # fmt: skip
    columns = ("delivery", "made", "webhook", "topic", "state", "tries", "last", "due")
    table(columns, rows, empty="No such deliveries.")


def _last(delivery: "Delivery") -> str:
    if delivery.last_status is not None:
        return str(delivery.last_status)
    return delivery.last_result.value if delivery.last_result else ""


def print_delivery(detail: "DeliveryDetail") -> None:
    """A delivery, its message and each attempt."""
    one, message = detail.delivery, detail.message
    facts(
        [
            ("delivery", one.id),
            ("state", one.state.value),
            ("due", stamp(one.due_at) if one.state.value == "waiting" else None),
            ("done", one.done_at and stamp(one.done_at)),
            ("webhook", one.webhook_id),
            ("application", one.application_id),
            ("message", message.id),
            ("topic", message.topic),
            ("from", message.origin.value),
            ("inbound event", message.event_id),
            ("account", message.account or None),
            ("documents", ", ".join(message.document_ids) or None),
            ("payload", f"{message.body_size} bytes"),
        ]
    )
    typer.echo()
    rows = [
        (try_.number, stamp(try_.started_at), try_.status or try_.result.value,
         f"{try_.duration_s * 1000:.0f} ms", try_.remote, try_.detail, try_.id)
        for try_ in detail.attempts
    ]  # fmt: skip
    columns = ("try", "began", "answer", "took", "to", "what happened", "attempt")
    table(columns, rows, empty="It was not tried yet.")


def print_attempt(opened: "OpenedAttempt") -> None:
    """What was sent and what came back, credentials redacted."""
    one = opened.attempt
    typer.secho(f"POST {clean(one.address)}  try {one.number}", bold=True)
    for name, value in opened.request_headers:
        typer.echo(f"{clean(name)}: {clean(value)}")
    typer.secho(f"\n{one.status or one.result.value}  {clean(one.detail)}", bold=True)
    for name, value in opened.response_headers:
        typer.echo(f"{clean(name)}: {clean(value)}")
    text = opened.response_body.decode("utf-8", "replace")
    typer.echo()
    typer.echo("\n".join(clean(line) for line in text.splitlines()))
    if opened.truncated:
        typer.echo("… (the answer was longer)", err=True)


def print_job(job: "Job", *, as_json: bool) -> None:
    """A job and how far it is."""
    if as_json:
        print_json(job)
        return
    facts(
        [
            ("job", job.id),
            ("what", job.kind.value.replace("_", " ")),
            ("webhook", job.webhook_id),
            ("state", job.state.value),
            ("done", f"{job.done} of {job.total}"),
            ("since", job.query.get("since")),
            ("until", job.query.get("until")),
            ("began", f"{stamp(job.created_at)} by {job.created_by}"),
            ("failed", job.error),
        ]
    )
