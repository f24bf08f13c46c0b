"""The commands of `inkwire --help`, each with where it is; what they need is loaded when called.

Loading them all took longer than all else that `--help` does. A test compares these lines with
what the commands say of themselves.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer.main
from typer.core import TyperCommand


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of `inkwire --help`. `module`: which module of `inkwire.cli` registers it."""

    module: str
    panel: str
    summary: str


def _entry(module: str, panel: str, summary: str) -> Entry:
    return Entry(module=module, panel=panel, summary=summary)


_RUN, _TRY, _MANAGE, _SEND, _ACT, _CARE = (
    "Run",
    "Try it",
    "Manage",
    "Send",
    "Act",
    "Look after it",
)  # fmt: skip
#: The order here is the order of `inkwire --help`.
CONTENTS: Mapping[str, Entry] = {
    "serve": _entry(
        "serve",
        _RUN,
        "Run the whole hub: migrate the store, then keep a web and a worker process running.",
    ),
    "web": _entry(
        "serve",
        _RUN,
        "Run one web process: ingest, API and console. For many machines on PostgreSQL.",
    ),
    "worker": _entry(
        "serve", _RUN, "Run one worker process: it hands stored events on. Several need PostgreSQL."
    ),
    "demo": _entry(
        "demo", _TRY, "Watch a hub at work: webhooks out with repeats, webhooks in with forgeries."
    ),
    "send": _entry(
        "send", _TRY, "Send a webhook signed as the provider signs it, and show the answer."
    ),
    "verify": _entry(
        "verify",
        _TRY,
        "Check a captured request against a secret: verdict, reason, hint, and the events in it.",
    ),
    "apply": _entry(
        "sources",
        _MANAGE,
        "Make the sources as inkwire.toml declares them. Applying it twice changes nothing.",
    ),
    "publish": _entry(
        "deliveries",
        _SEND,
        "Publish a message: kept durably, then delivered to every webhook that wants it.",
    ),
    "listen": _entry(
        "listen",
        _SEND,
        "Bring an application's messages to this machine as they come, until Ctrl-C.",
    ),
    "sandbox": _entry(
        "sandbox",
        _TRY,
        "Run a stand-in for the vendors: Box with signing, and Salesforce, with faults at will.",
    ),
    "audit": _entry("access", _MANAGE, "Show what was changed, when, and by whom, newest first."),
    "migrate": _entry(
        "store",
        _CARE,
        "Bring the store to this release's schema, or make it. `serve` does this by itself.",
    ),
    "doctor": _entry(
        "doctor",
        _CARE,
        "Check this hub: keys, stores, clock, address, processes, every source and integration.",
    ),
    "version": _entry("version", _CARE, "Show the version of Inkwire."),
    "sources": _entry("sources", _MANAGE, "Endpoints and secrets."),
    "events": _entry("events", _MANAGE, "What came in."),
    "rejected": _entry("events", _MANAGE, "What was refused."),
    "orders": _entry("orders", _ACT, "What is to be signed."),
    "statuses": _entry("orders", _ACT, "The statuses that an order can have."),
    "templates": _entry("orders", _ACT, "Typst templates: an order becomes a PDF."),
    "evidence": _entry("evidence", _ACT, "Proof of what became of an order."),
    "connections": _entry("connections", _ACT, "Credentials for providers' APIs."),
    "integrations": _entry("integrations", _ACT, "Business processes that act."),
    "crm": _entry("crm", _ACT, "Box and Salesforce in step."),
    "runs": _entry("runs", _ACT, "What integrations do."),
    "applications": _entry("applications", _SEND, "Who gets our webhooks."),
    "topics": _entry("applications", _SEND, "What can be heard."),
    "webhooks": _entry("webhook_tries", _SEND, "Addresses that we send to."),
    "deliveries": _entry("deliveries", _SEND, "What was sent."),
    "jobs": _entry("deliveries", _SEND, "Long tasks of the worker."),
    "users": _entry("access", _MANAGE, "People at the console."),
    "keys": _entry("access", _MANAGE, "Keys for the API."),
    "master-key": _entry("store", _CARE, "The key that seals bodies and secrets."),
}


class Loaded(MutableMapping[str, Any]):
    """The commands themselves by name, each loaded when it is first asked for."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """The command. Raises KeyError."""
        if name not in self._found:
            module = import_module(f"inkwire.cli.{CONTENTS[name].module}")
            app = typer.Typer(rich_markup_mode="rich")
            module.register(app)
            self._found |= typer.main.get_group(app).commands
        return self._found[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        self._found.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(CONTENTS)

    def __len__(self) -> int:
        return len(CONTENTS)


def stand_ins() -> dict[str, TyperCommand]:
    """As much of each command as a list of them shows."""
    return {
        name: TyperCommand(name, help=entry.summary, rich_help_panel=entry.panel)
        for name, entry in CONTENTS.items()
    }
