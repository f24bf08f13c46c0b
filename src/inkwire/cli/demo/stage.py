"""The demo's stage: an empty folder, a source for each provider, and a real `inkwire serve`."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from inkwire.access.gate import CLI
from inkwire.cli.signed import Sender
from inkwire.cli.supervisor import python_command
from inkwire.clock import SystemClock
from inkwire.config import load_settings
from inkwire.errors import ConfigError, InkwireError
from inkwire.hub import Hub, open_hub
from inkwire.model.source import Secret
from inkwire.providers.contract import Provider
from inkwire.providers.registry import Case, cases
from inkwire.providers.settings import check_settings
from inkwire.sources.checks import generate_secret
from inkwire.sources.desk import SourceDraft
from inkwire.store.open import migrate

#: Largest body that the demo's sources take, in bytes: so the oversized one can be small.
MAX_BODY = 64 * 1024
START_PATIENCE_S = 30.0
#: How far in the past the hub starts: all of BoxC's repeats (36 h at most) lie before now.
BEHIND_S = 36 * 3600
#: File of the hub's clock; and where its webhooks may go although that is no public address.
CLOCK, LOOPBACK = "clock", "127.0.0.1/32"


@dataclass(kw_only=True, slots=True)
class Actor:
    """One source of the demo, and its provider as the sender."""

    source_id: str
    provider: Provider
    cases: tuple[Case, ...]
    settings: Mapping[str, Any]
    #: Delivery id of each sample: a vendor repeats a delivery under the same one.
    deliveries: Mapping[str, str]
    #: Every secret that was ever given to the source, newest first, with its end.
    secrets: tuple[Secret, ...] = field(repr=False)

    def sender(self, *secrets: Secret) -> Sender:
        """The provider, signing with the given secrets, or else with the newest of each role."""
        receiver = self.provider.receive
        if receiver is None:
            raise ConfigError(f"{self.provider.title} sends no webhooks.")
        newest = {secret.role: secret for secret in reversed(self.secrets)}
        chosen = newest | {secret.role: secret for secret in secrets}
        return Sender(
            provider=self.provider.name,
            receiver=receiver,
            settings=self.settings,
            secrets=tuple(chosen.values()),
        )

    def another_secret(self) -> str:
        """A random secret of the form that the first one has."""
        role = self.secrets[0].role
        described = {item.role: item for item in self.sender().receiver.secrets}
        return generate_secret(described[role])

    def rotated(self, new: Secret, *, old_ends_at: datetime) -> None:
        """Notes that `new` took the place of the others of its role."""
        ended = (
            replace(secret, expires_at=secret.expires_at or old_ends_at)
            if secret.role == new.role
            else secret
            for secret in self.secrets
        )
        self.secrets = (new, *ended)

    def valid_at(self, now: datetime) -> tuple[Secret, ...]:
        """The secrets that the hub must accept at that moment."""
        return tuple(s for s in self.secrets if s.expires_at is None or s.expires_at > now)


@dataclass(kw_only=True, slots=True)
class Stage:
    """A hub that runs, seen from outside (its address) and from inside (its store)."""

    hub: Hub
    folder: Path
    url: str
    console: str
    name: str
    password: str
    actors: tuple[Actor, ...]
    process: subprocess.Popen[bytes]

    def set_clock(self, seconds: float) -> None:
        """Sets the hub's clock that far ahead of the machine's; every process follows in 50 ms."""
        write_shift(self.folder, seconds)

    def move_to(self, moment: datetime) -> None:
        """Sets the hub's clock to that moment, but never beyond the present."""
        self.set_clock(min(0.0, (moment - SystemClock().now()).total_seconds()))


@contextmanager
def stage(*, port: int, folder: Path | None) -> Iterator[Stage]:
    """Builds the stage, and clears it away. Raises ConfigError if the folder is not empty."""
    # The demo has nothing to do with a hub that is configured on this machine.
    for name in [name for name in os.environ if name.startswith("INKWIRE_")]:
        del os.environ[name]
    kept = folder is not None
    place = _empty(folder) if folder else Path(tempfile.mkdtemp(prefix="inkwire-demo-"))
    try:
        write_shift(place, -BEHIND_S)
        settings = load_settings(
            data_dir=place,
            config_file=place / "inkwire.toml",
            clock_file=place / CLOCK,
            outbound_allow=LOOPBACK,
        )
        migrate(settings)
        with open_hub(settings) as hub:
            first = hub.gate.first_admin()
            if first is None:
                raise ConfigError(f"{place} already holds a hub; name an empty folder.")
            actors = tuple(_actors(hub))
            with _served(place, port) as (process, ready):
                yield Stage(
                    hub=hub,
                    folder=place,
                    url=ready["url"],
                    console=ready["console"],
                    name=first[0].name,
                    password=first[1],
                    actors=actors,
                    process=process,
                )
    finally:
        if not kept:
            shutil.rmtree(place, ignore_errors=True)


def write_shift(place: Path, seconds: float) -> None:
    """Puts the clock's shift in place, all at once."""
    new = place / f"{CLOCK}.new"
    new.write_text(f"{seconds:.6f}\n", "ascii")
    new.replace(place / CLOCK)


def _empty(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not an empty folder; the demo starts on an empty one.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.absolute()


def _actors(hub: Hub) -> Iterator[Actor]:
    """One source for each provider, and one more for each further way it can be set up."""
    for provider in hub.registry.receiving():
        ways: dict[str, list[Case]] = {}
        for case in cases(provider):
            ways.setdefault(json.dumps(dict(case.settings), sort_keys=True), []).append(case)
        for number, found in enumerate(ways.values()):
            plain = not found[0].settings or (number == 0 and len(ways) == 1)
            source_id = (
                provider.name
                if plain
                else f"{provider.name}-{_slug(found[0].recipe or found[0].name)}"
            )
            yield _actor(hub, provider, source_id, tuple(found))


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")[:40]


def _actor(hub: Hub, provider: Provider, source_id: str, found: tuple[Case, ...]) -> Actor:
    receiver = hub.registry.receiver(provider.name)
    values = {item.role: generate_secret(item) for item in receiver.secrets if item.required}
    title = provider.title if source_id == provider.name else f"{provider.title}: {found[0].name}"
    hub.desk.create(
        CLI,
        SourceDraft(
            id=source_id,
            provider=provider.name,
            name=f"{title} (demo)"[:100],
            settings=found[0].settings,
            secrets=values,
            max_body_bytes=MAX_BODY,
        ),
    )
    return Actor(
        source_id=source_id,
        provider=provider,
        cases=found,
        settings=check_settings(receiver.settings, found[0].settings),
        deliveries={case.name: token() for case in found},
        secrets=tuple(
            Secret(id=f"first-{role}", role=role, value=value.encode())
            for role, value in values.items()
        ),
    )


@contextmanager
def _served(place: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A real `inkwire serve`, ready; it stops with us, however we end."""
    ready_file, log_file = place / "ready.json", place / "serve.log"
    environment = os.environ | {
        "INKWIRE_DATA_DIR": str(place),
        "INKWIRE_CONFIG_FILE": str(place / "inkwire.toml"),
        "INKWIRE_CLOCK_FILE": str(place / CLOCK),
        "INKWIRE_OUTBOUND_ALLOW": LOOPBACK,
        "INKWIRE_ENVIRONMENT": "demo",
        "INKWIRE_PORT": str(_port(port)),
    }
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 # our own command line
            python_command("serve", "--lifeline", "--ready-file", str(ready_file)),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    try:
        yield process, _wait_ready(process, ready_file, log_file)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        if process.stdin:
            process.stdin.close()


def _wait_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> dict[str, Any]:
    give_up_at = time.monotonic() + START_PATIENCE_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > give_up_at:
            tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])
            raise InkwireError(f"`inkwire serve` did not start. The end of its log:\n{tail}")
        time.sleep(0.02)
    found: dict[str, Any] = json.loads(ready.read_text("utf-8"))
    return found


def _port(wanted: int) -> int:
    """The wanted port, or another if it is taken: the worker must know it, for Box calls back."""
    for port in (wanted, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(sock.getsockname()[1])
    raise ConfigError("No port is free on 127.0.0.1; end some other program and try again.")


def token() -> str:
    """What makes a sample another event: 16 random letters and digits."""
    return secrets.token_hex(8)
