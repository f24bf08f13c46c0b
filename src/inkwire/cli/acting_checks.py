"""What `inkwire doctor` looks at of acting: blobs, engine, workers, connections, integrations."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from inkwire.access.gate import CLI
from inkwire.cli.checks import Finding, fail, ok, warn
from inkwire.cli.output import ago
from inkwire.config import Settings
from inkwire.errors import StoreError
from inkwire.integrations.desk import Judged
from inkwire.model.connection import ConnectionHealth
from inkwire.model.crm import FolderState
from inkwire.model.work import Integration, IntegrationState, LedgerState

if TYPE_CHECKING:
    from inkwire.hub import Hub

#: The two bytes of an SQLite file's header that say WAL (sqlite.org/fileformat, 1.3.3).
_WAL = b"\x02\x02"
#: Findings about executors and doubts that are worth a line each.
_MOST = 5
#: Per cent of the day's calls from which a person should know.
_HIGH_CALLS = 70


def engine(settings: Settings) -> Iterator[Finding]:
    """The engine's own file, beside an SQLite store. It is made when the first run starts."""
    path = settings.data_dir / "engine.db"
    if settings.database_url is not None or not path.is_file():
        return
    with path.open("rb") as file:
        header = file.read(20)
    if header[18:20] in (_WAL, b""):
        yield ok("engine", "engine.db, journal wal")
    else:
        yield fail(
            "engine",
            "engine.db is not in WAL: the steps of runs wait for each other.",
            "Restart Inkwire, which puts it in WAL; if it does not stay so, move the data folder "
            "to a local disk: network file systems cannot do WAL.",
        )


def blobs(hub: "Hub", *, offline: bool) -> Iterator[Finding]:
    """Documents can be kept. Of a remote store that is tried: a blob is put and removed."""
    if hub.settings.blob_url is None:
        yield from _blob_folder(hub.settings.data_dir / "blobs")
    elif not offline:
        try:
            hub.documents.try_blobs()
        except StoreError as error:
            advice = "No order is sent and no signed document kept until that works."
            yield fail("blob store", error.message, advice)
        else:
            yield ok("blob store", f"{hub.settings.blob_url}, can be written")


def _blob_folder(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        yield ok("blob store", f"{folder.absolute()}, made with the first document")
    elif os.access(folder, os.W_OK | os.X_OK):
        yield ok("blob store", f"{folder.absolute()}, can be written")
    else:
        advice = f"Give it to the user that runs Inkwire: chown -R USER {folder}"
        yield fail("blob store", f"This user may not write to {folder.absolute()}.", advice)


def executors(hub: "Hub") -> Iterator[Finding]:
    """Workers that should live do. One that ended in good order is not looked for."""
    now, patience = hub.clock.now(), timedelta(seconds=hub.settings.executor_dead_after_s)
    started = [one for one in hub.store.executors.all() if one.stopped_at is None]
    living = [one for one in started if now - one.beat_at <= patience]
    if living:
        hosts = ", ".join(sorted({one.host for one in living}))
        yield ok("executors", f"{len(living)} beat ({hosts})")
    elif hub.settings.database_url is not None:
        yield warn(
            "executors",
            "No worker beats: nothing is handed on and nothing runs.",
            "Start `inkwire worker` on some machine. Nothing is lost meanwhile.",
        )
    for one in [one for one in started if one not in living][:_MOST]:
        yield warn(
            "executors",
            f"{one.id} on {one.host} has not beaten for a while (last {ago(one.beat_at, now)}).",
            "A running worker takes its runs over by itself; if none runs, start one.",
        )


def connections(hub: "Hub") -> Iterator[Finding]:
    """Every connection is well, and its token young enough."""
    now = hub.clock.now()
    for one in hub.connections.all(CLI):
        about, check = f"connection {one.id}", f"inkwire connections check {one.id}"
        if one.health is ConnectionHealth.NEEDS_ATTENTION:
            yield fail(about, one.health_note or "It needs attention.", f"Then: {check}")
        elif one.health is ConnectionHealth.UNCHECKED:
            yield warn(about, "Nobody has tried it yet, or not since it was changed.", check)
        else:
            token = _token(one.token_expires_at, now)
            yield ok(about, f"{one.provider}, well {ago(one.health_at, now)}, token {token}")


def _token(ends: datetime | None, now: datetime) -> str:
    """How old a token is. One that has ended is no fault: the next call fetches another."""
    if ends is None:
        return "none held"
    return (
        f"ends {ago(ends, now)}"
        if ends > now
        else f"ended {ago(ends, now)}; the next call renews it"
    )


def integrations(hub: "Hub") -> Iterator[Finding]:
    """Every integration can do what it is there for, and nothing of it waits for a person."""
    for judged in hub.integrations.judged_all(CLI):
        yield from _integration(hub, judged)
    for dead in hub.work.dead(CLI):
        yield warn(
            f"int_{dead.integration_id}",
            f"{dead.count} dead letters; the newest: {dead.note}",
            f"inkwire runs show {dead.work_id}; when it is mended: inkwire runs retry "
            f"--integration int_{dead.integration_id}",
        )
    for entry in hub.work.ledger(CLI, state=LedgerState.DOUBT, limit=_MOST):
        yield warn(
            "ledger",
            f"Nobody knows whether {entry.key} was made.",
            f"Look at the vendor, then: inkwire runs decide '{entry.key}' repeat|abandon|adopt",
        )


def _integration(hub: "Hub", judged: Judged) -> Iterator[Finding]:
    one = judged.integration
    about = one.label
    if one.state is IntegrationState.PAUSED:
        yield warn(
            about, "It is paused: its work waits.", f"inkwire integrations activate {one.id}"
        )
    for problem in judged.problems:
        if one.state is IntegrationState.INACTIVE:
            break  # it does nothing, so nothing hinders it
        say = fail if problem.blocks else warn
        yield say(about, f"{problem.field}: {problem.text}", f"inkwire integrations show {one.id}")
    kind = hub.kinds.get(one.kind)
    hears = kind is not None and kind.provider and kind.events and one.source_ids
    if one.state is IntegrationState.ACTIVE and hears and not one.remote.get("webhook_id"):
        yield warn(
            about,
            "It has no webhook at the vendor yet: outcomes are found late, by asking.",
            f"inkwire runs list --integration {one.id} tells why; it tries again each hour.",
        )
    elif not any(problem.blocks for problem in judged.problems):
        hook = f", webhook {one.remote['webhook_id']}" if one.remote.get("webhook_id") else ""
        yield ok(about, f"{one.kind} “{one.name}”, {one.state.value}{hook}")


def in_step(hub: "Hub", *, offline: bool) -> Iterator[Finding]:
    """Between Box and Salesforce: what waits for a person, the calls, what the vendors say."""
    for one in hub.crm.integrations(CLI):
        if one.state is not IntegrationState.INACTIVE:
            yield from _waiting(hub, one)
        yield from _calls(hub, one)
        if not offline:
            yield from _live(hub, one)


def _waiting(hub: "Hub", one: Integration) -> Iterator[Finding]:
    folders = hub.crm.folder_counts(CLI, one.id)
    if hub.crm.unmapped(CLI, integration_id=one.id, limit=1):
        yield warn(
            one.label,
            "Files wait because their folders belong to no record.",
            "inkwire crm unmapped; then set the metadata in Box, or: inkwire crm map",
        )
    if conflicts := folders.get(FolderState.CONFLICT, 0):
        yield warn(
            one.label,
            f"{conflicts} folders fit more than one record, or their record has another folder.",
            "inkwire crm folders --state conflict",
        )


def _calls(hub: "Hub", one: Integration) -> Iterator[Finding]:
    second = one.second_connection_id
    usage = hub.crm.usage(CLI, second) if second is not None else None
    if usage is None:
        return
    share = round(100 * usage.used / usage.most) if usage.most else 0
    text = f"{share} % of the day's {usage.most:,} calls used ({ago(usage.at, hub.clock.now())})"
    if share >= _HIGH_CALLS:
        yield warn(
            second or one.label,
            f"{text}.",
            "From the share in the integration's settings on, only files are sent until the "
            "window of 24 hours frees. More calls: ask Salesforce, or look who else calls.",
        )
    else:
        yield ok(second or one.label, text)


def _live(hub: "Hub", one: Integration) -> Iterator[Finding]:
    """What its kind finds by asking the vendors."""
    ask = getattr(hub.kinds.get(one.kind), "live_checks", None)
    if ask is None:
        return
    for check in ask(one, hub.services):
        if check.ok:
            yield ok(one.label, f"{check.title}: {check.detail}")
        else:
            yield fail(one.label, f"{check.title}: {check.detail}", f"Then: inkwire doctor; "
                       f"the settings: inkwire integrations show {one.label}")  # fmt: skip
