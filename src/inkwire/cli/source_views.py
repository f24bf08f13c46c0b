"""How a source and a provider are shown: for people, and as JSON."""

from typing import TYPE_CHECKING, Any

import typer

from inkwire.cli.output import ago, clean, facts, jsonable, print_json, stamp, table
from inkwire.cli.shell import operator

if TYPE_CHECKING:
    from inkwire.hub import Hub
    from inkwire.model.source import Source
    from inkwire.providers.contract import Provider, Receiver


def source_facts(hub: "Hub", source: "Source") -> dict[str, Any]:
    """A source with its address and what was heard of it, as JSON values."""
    activity = hub.desk.activity(operator()).get(source.id)
    shown: dict[str, Any] = jsonable(source)
    return shown | {"url": hub.desk.url(source.id), "activity": jsonable(activity)}


def print_source(hub: "Hub", source: "Source") -> None:
    """A source, one fact a line."""
    now, seen = hub.clock.now(), hub.desk.activity(operator()).get(source.id)
    last = ago(seen.last_receipt_at, now) if seen else "never"
    facts(
        [
            ("id", source.id),
            ("name", source.name),
            ("provider", source.provider),
            ("address", hub.desk.url(source.id)),
            ("state", "paused" if source.paused else "active"),
            ("managed by", source.managed_by),
            ("event types", ", ".join(source.event_types) or "all"),
            ("documents", ", ".join(source.document_ids) or "all"),
            ("largest body", f"{source.max_body_bytes} bytes"),
            ("last receipt", last),
            ("refused, 24 h", seen.rejections_24h if seen else 0),
            ("last refusal", seen.last_rejection_reason if seen else None),
            ("quarantined", seen.quarantined if seen else 0),
            *((f"setting {key}", value) for key, value in source.settings.items()),
            *((f"secret {s.role}", _secret_line(s.id, s.expires_at)) for s in source.secrets),
        ]
    )


def _secret_line(secret_id: str, expires_at: Any) -> str:
    return f"{secret_id}, until {stamp(expires_at)}" if expires_at else f"{secret_id}, current"


def print_provider(provider: "Provider", receiver: "Receiver", *, as_json: bool) -> None:
    """A provider in full: secrets, settings, recipes, event types, samples, retries."""
    from inkwire.providers.registry import cases

    samples = [(case.name, case.event_type, case.note) for case in cases(provider)]
    if as_json:
        print_json(
            {
                "name": provider.name,
                "title": provider.title,
                "summary": provider.summary,
                "secrets": receiver.secrets,
                "settings": receiver.settings,
                "recipes": provider.recipes,
                "event_types": receiver.event_types,
                "retries": receiver.retries,
                "samples": [{"name": n, "event_type": t, "note": o} for n, t, o in samples],
            }
        )
        return
    typer.secho(provider.title, bold=True)
    typer.echo(f"{provider.summary}\n")
    secrets = [(s.role, s.label, "required" if s.required else "optional", s.help)
               for s in receiver.secrets]  # fmt: skip
    table(("secret", "name", "", "where it comes from"), secrets, empty="It has no secrets.")
    settings = [(s.key, s.default, clean(s.help)) for s in receiver.settings]
    table(("setting", "default", "what it does"), settings, empty="It has no settings.")
    recipes = [(recipe.name, recipe.title, recipe.note) for recipe in provider.recipes]
    if recipes:
        table(("recipe", "sender", "what to do there"), recipes, empty="")
    types = list(receiver.event_types.items())
    table(("event type", "when"), types, empty="Its event types are open.")
    table(("sample", "event type", "what it shows"), samples, empty="It has no samples.")
    typer.echo(f"Retries: {receiver.retries.source}")
