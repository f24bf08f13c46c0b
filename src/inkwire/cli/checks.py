"""What `inkwire doctor` looks at. Each check yields findings and changes nothing.

Two exceptions: the public address is proven to be this hub's by sending a request with a random
source id through it, and finding that request in the rejected log; and a remote blob store is tried
by a blob that is put and removed.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from inkwire.access.gate import CLI
from inkwire.cli.locks import lock_path, try_lock
from inkwire.cli.output import ago
from inkwire.clock import Clock, SystemClock
from inkwire.config import MIB, Settings
from inkwire.errors import InkwireError
from inkwire.model.access import Role
from inkwire.model.source import Source, SourceActivity

if TYPE_CHECKING:
    from inkwire.hub import Hub

#: Free space is worth a warning below this many times the reserve.
LOW_DISK_FACTOR = 4
#: Waiting events that are worth a warning.
LONG_BACKLOG = 1000
#: Refusals a day that are worth a warning.
MANY_REFUSALS = 20
EXPIRES_SOON = timedelta(days=7)


class Level(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    #: What was looked at, in a word or two.
    about: str
    text: str
    #: What to do; empty if nothing.
    advice: str = ""


def ok(about: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(level=Level.OK, about=about, text=text)


def warn(about: str, text: str, advice: str) -> Finding:
    """Works, but somebody should look."""
    return Finding(level=Level.WARN, about=about, text=text, advice=advice)


def fail(about: str, text: str, advice: str) -> Finding:
    """Does not work."""
    return Finding(level=Level.FAIL, about=about, text=text, advice=advice)


def examined(settings: Settings, *, offline: bool, clock: Clock | None = None) -> Iterator[Finding]:
    """Every finding, on the way in: machine, key, store, processes, sources; then acting."""
    if settings.database_url is None:
        yield from data_folder(settings)
        if not (settings.data_dir / "inkwire.db").is_file():
            yield fail(
                "store",
                f"There is no store in {settings.data_dir.absolute()}.",
                "Run `inkwire serve` or `inkwire migrate`, or name the folder with --data-dir.",
            )
            return
    yield from key(settings)
    from inkwire.hub import open_hub

    try:
        hub = open_hub(settings, clock=clock or SystemClock())
    except InkwireError as error:
        yield fail("store", error.message, "Nothing else can be checked before the store opens.")
        return
    with hub:
        yield from _of_hub(hub, offline=offline)


def _of_hub(hub: "Hub", *, offline: bool) -> Iterator[Finding]:
    try:
        yield from store(hub)
    except InkwireError as error:
        yield fail("store", error.message, "Nothing else can be checked before that.")
        return
    yield from people(hub)
    yield from worker(hub)
    yield from public_url(hub.settings)
    if not offline:
        from inkwire.cli.reachability import local_web, public_address

        yield from local_web(hub.settings)
        if hub.settings.public_url is not None:
            yield from public_address(hub)
    yield from sources(hub)
    yield from _acting(hub, offline=offline)


def _acting(hub: "Hub", *, offline: bool) -> Iterator[Finding]:
    from inkwire.cli import acting_checks

    yield from acting_checks.engine(hub.settings)
    yield from acting_checks.blobs(hub, offline=offline)
    yield from acting_checks.executors(hub)
    yield from acting_checks.connections(hub)
    yield from acting_checks.integrations(hub)
    yield from acting_checks.in_step(hub, offline=offline)


def data_folder(settings: Settings) -> Iterator[Finding]:
    """The folder of the SQLite store: rights and room."""
    folder = settings.data_dir
    if not folder.is_dir():
        yield fail(
            "data folder",
            f"{folder.absolute()} is no folder.",
            "Correct INKWIRE_DATA_DIR, or run `inkwire serve`, which makes it.",
        )
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not os.access(folder, os.W_OK | os.X_OK):
        advice = f"Give it to the user that runs Inkwire: chown -R USER {folder}"
        yield fail("data folder", f"This user may not write to {folder.absolute()}.", advice)
    elif mode & 0o077:
        advice = f"chmod 700 {folder}"
        yield warn("data folder", f"Other users may look into {folder.absolute()}.", advice)
    else:
        yield ok("data folder", f"{folder.absolute()}, for this user only")
    yield disk(folder, settings.disk_reserve_bytes)


def disk(folder: Path, reserve: int) -> Finding:
    """Free room, against the reserve below which nothing is taken in any more."""
    free = shutil.disk_usage(folder).free
    text = f"{free // MIB:,} MiB free; below {reserve // MIB} MiB the hub answers 503"
    if free <= reserve:
        return fail("disk", text, "Free some room now: nothing is stored until then.")
    if free < reserve * LOW_DISK_FACTOR:
        return warn("disk", text, "Free some room, or move the data folder to a larger disk.")
    return ok("disk", text)


def key(settings: Settings) -> Iterator[Finding]:
    """The master key: where it is from, and who can read it."""
    from inkwire.store.keys import key_file, load_keyring

    try:
        ring = load_keyring(settings, create=False)
    except InkwireError as error:
        yield fail("master key", error.message, "Without it no body and no secret can be read.")
        return
    known = f"{ring.current.id.hex()} seals" + (
        f", {len(ring.keys) - 1} older open" if len(ring.keys) > 1 else ""
    )
    if settings.master_key is not None or settings.master_key_command is not None:
        origin = "INKWIRE_MASTER_KEY" if settings.master_key else "INKWIRE_MASTER_KEY_COMMAND"
        yield ok("master key", f"{known}, from {origin}")
        return
    yield ok(
        "master key",
        f"{known}, in {key_file(settings)} (mode 600). Keep a copy apart from the store's backup: "
        "without it a backup cannot be read.",
    )


def store(hub: "Hub") -> Iterator[Finding]:
    """The store opens, has this release's schema, and keeps what it acknowledges."""
    facts = hub.store.check()
    size = f", {int(facts['bytes']) // MIB:,} MiB" if "bytes" in facts else ""
    line = f"{facts['dialect']} {facts['version']}, schema {facts.get('schema', 'current')}{size}"
    yield ok("store", line)
    if facts["dialect"] == "sqlite":
        durable = facts.get("journal") == "wal" and facts.get("synchronous") == "full"
        said = f"journal {facts.get('journal')}, synchronous {facts.get('synchronous')}"
        yield (
            ok("durability", said)
            if durable
            else fail(
                "durability",
                said,
                "The file must be in WAL with synchronous=full, or an acknowledged event can be "
                "lost: move it to a local disk, network file systems cannot do WAL.",
            )
        )
    for text in facts.get("warnings", ()):
        yield warn("store", str(text), "See docs/how-to/production.md.")


def people(hub: "Hub") -> Iterator[Finding]:
    """Somebody can sign in and manage the hub."""
    admins = [
        user.name for user in hub.gate.users(CLI) if user.role is Role.ADMIN and not user.disabled
    ]
    if admins:
        yield ok("sign-in", f"{len(admins)} administrator{'s' if len(admins) > 1 else ''}")
    else:
        advice = "inkwire users add NAME --role admin"
        yield warn("sign-in", "No administrator can sign in.", advice)


def worker(hub: "Hub") -> Iterator[Finding]:
    """Stored events are handed on."""
    waiting = hub.store.dispatch.backlog()
    if hub.settings.database_url is None and not _worker_runs(hub.settings):
        yield warn(
            "worker",
            f"No worker runs on this data folder; {waiting} events wait.",
            "Start `inkwire serve` (or `inkwire worker`). Nothing is lost meanwhile.",
        )
    elif waiting >= LONG_BACKLOG:
        yield warn(
            "worker",
            f"{waiting} or more events wait to be handed on.",
            "The worker is behind or does not run: look at its log.",
        )
    else:
        yield ok("worker", f"{waiting} events wait")


def _worker_runs(settings: Settings) -> bool:
    """Whether somebody holds the worker's lock."""
    path = lock_path(settings)
    if not path.exists():
        return False
    with path.open("rb") as file:
        return not try_lock(file.fileno())


def public_url(settings: Settings) -> Iterator[Finding]:
    """The address that providers are told."""
    if settings.public_url is None:
        yield warn(
            "public address",
            "INKWIRE_PUBLIC_URL is not set, so providers cannot be given a working address.",
            "Set it to the https address that your proxy or tunnel listens on.",
        )
    elif not settings.public_url.startswith("https://"):
        yield warn(
            "public address",
            f"{settings.public_url} is http: bodies and sign-ins travel in the clear.",
            "Put a TLS proxy in front and set the https address; Box accepts nothing else.",
        )
    else:
        yield ok("public address", settings.public_url)


def sources(hub: "Hub") -> Iterator[Finding]:
    """Every source can prove its sender, and is heard of."""
    found = hub.desk.all(CLI)
    if not found:
        advice = "inkwire sources create ID --provider NAME, or the console's button"
        yield warn("sources", "There are none yet.", advice)
    now = hub.clock.now()
    opened = hub.store.sources.open_secrets(now)
    heard = hub.desk.activity(CLI)
    for source in found:
        held = opened.get(source.id, ())
        yield from _shut(source, {secret.id for secret in held}, now)
        valid = {secret.role for secret in held}
        yield from _source(hub, source, valid, heard.get(source.id), now)


def _shut(source: Source, opened: set[str], now: datetime) -> Iterator[Finding]:
    """Valid secrets that are there but do not open. `opened`: ids of those that do."""
    for secret in source.secrets:
        ended = secret.expires_at is not None and secret.expires_at <= now
        if secret.id not in opened and not ended:
            yield fail(
                f"source {source.id}",
                f"Its {secret.role} secret {secret.id} does not open: it was changed, or its "
                "master key is missing.",
                "Put the key back or restore a backup; else enter the secret again: "
                f"inkwire sources rotate {source.id} --role {secret.role}",
            )


def _source(
    hub: "Hub", source: Source, valid: set[str], seen: SourceActivity | None, now: datetime
) -> Iterator[Finding]:
    """One source. `valid`: roles that it holds a valid secret of."""
    about = f"source {source.id}"
    try:
        receiver = hub.registry.receiver(source.provider)
    except InkwireError as error:
        yield fail(about, error.message, "Install the provider's package, or delete the source.")
        return
    missing = [s.label for s in receiver.secrets if s.required and s.role not in valid]
    if missing:
        yield fail(
            about,
            f"It holds no valid secret: {', '.join(missing)}. Every request is refused.",
            f"inkwire sources rotate {source.id}",
        )
    yield from _expiring(source, about, now)
    if source.paused:
        yield warn(about, "It is paused: its events wait.", f"inkwire sources resume {source.id}")
    yield from _traffic(source, about, seen)
    if not missing:
        last = ago(seen.last_receipt_at, now) if seen else "never"
        yield ok(about, f"{source.provider}, last receipt {last}")


def _traffic(source: Source, about: str, seen: SourceActivity | None) -> Iterator[Finding]:
    """What waits in quarantine, and whether much is refused."""
    if seen and seen.quarantined:
        yield warn(
            about,
            f"{seen.quarantined} requests are in quarantine: signed right, but too late.",
            f"inkwire events list --source {source.id} --state quarantined, then "
            "inkwire events release RECEIPT",
        )
    if seen and seen.rejections_24h >= MANY_REFUSALS:
        yield warn(
            about,
            f"{seen.rejections_24h} requests were refused in 24 h, the last one for "
            f"{seen.last_rejection_reason}.",
            f"inkwire rejected list --source {source.id}",
        )


def _expiring(source: Source, about: str, now: datetime) -> Iterator[Finding]:
    """Roles whose every valid secret ends soon: then nothing can be proven any more."""
    for role in {secret.role for secret in source.secrets}:
        ends = [secret.expires_at for secret in source.secrets if secret.role == role]
        last = max((end for end in ends if end is not None), default=None)
        if None in ends or last is None or last <= now or last - now > EXPIRES_SOON:
            continue
        yield warn(
            about,
            f"Its last {role} secret ends {ago(last, now)}.",
            f"inkwire sources rotate {source.id} --role {role}",
        )
