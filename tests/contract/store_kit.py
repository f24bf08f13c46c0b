"""What the store's tests are written with: an opened store, and short ways to fill it."""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from inkwire.clock import ManualClock
from inkwire.config import Settings, load_settings
from inkwire.errors import StoreError
from inkwire.ids import SortableIds
from inkwire.model.access import AuditEntry
from inkwire.model.event import DedupeKind, EventState, ParsedEvent, Term, TermKind
from inkwire.model.message import TextHeaders
from inkwire.model.receipt import Intake, IntakeEvent, Stored
from inkwire.model.source import Source
from inkwire.model.verdict import Accepted, Reason
from inkwire.model.webhook import Application, ProfileName, Webhook
from inkwire.store.contract import Dispatched, EventQuery, NewSecret, Store, Undispatched
from inkwire.store.open import migrate, open_store
from inkwire.store.sending import NewKey

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class SqliteMaker:
    """Fresh migrated SQLite stores, copied from one that was migrated once."""

    dialect = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template"
        migrate(load_settings(data_dir=self._template))

    @contextmanager
    def fresh(self, folder: Path, **overrides: Any) -> Iterator[Settings]:
        shutil.copytree(self._template, folder)
        yield load_settings(data_dir=folder, **overrides)


class PostgresMaker:
    """Fresh migrated databases, cloned from one that was migrated once."""

    dialect = "postgresql"

    def __init__(self, server: Any, template_url: str, folder: Path) -> None:
        self._server = server
        self._template = template_url
        migrate(load_settings(data_dir=folder, database_url=template_url))

    @contextmanager
    def fresh(self, folder: Path, **overrides: Any) -> Iterator[Settings]:
        with self._server.database(template=self._template) as url:
            yield load_settings(data_dir=folder, database_url=url, **overrides)


@dataclass
class Hub:
    """One store and what makes its values."""

    settings: Settings
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.ids = SortableIds(self.clock)
        self.store = self.open()

    @property
    def dialect(self) -> str:
        return "sqlite" if self.settings.database_url is None else "postgresql"

    def open(self) -> Store:
        """Another store object on the same database."""
        return open_store(self.settings, clock=self.clock, ids=SortableIds(self.clock))

    def event(self, key: bytes = b"key-1", **fields: Any) -> IntakeEvent:
        state = fields.pop("state", EventState.NEW)
        event_id = fields.pop("id", None) or self.ids.new("evt")
        values: dict[str, Any] = {
            "type": "box.FILE.UPLOADED",
            "dedupe_key": key,
            "dedupe_kind": DedupeKind.HARD,
            **fields,
        }
        return IntakeEvent(id=event_id, parsed=ParsedEvent(**values), state=state)

    def intake(self, *events: IntakeEvent, **fields: Any) -> Intake:
        """An intake; without events it holds one with the key `key-1`."""
        values: dict[str, Any] = {
            "receipt_id": self.ids.new("rcp"),
            "source_id": "box",
            "provider": "box",
            "received_at": self.clock.now(),
            "remote": "203.0.113.9",
            "method": "POST",
            "path": "/in/box",
            "query": b"",
            "headers": ((b"content-type", b"application/json"),),
            "body": b'{"id":"1"}',
            "proof": Accepted(secret_id="sec_1"),
            "events": events or (self.event(),),
            **fields,
        }
        return Intake(**values)

    def stale(self, *events: IntakeEvent, **fields: Any) -> Intake:
        """A quarantined intake."""
        fields.setdefault("proof", Accepted(secret_id="sec_1", signed_at=START))
        return self.intake(*events, quarantine=Reason.STALE, **fields)

    def append(self, *intakes: Intake, store: Store | None = None) -> list[Stored | StoreError]:
        inbound = (store or self.store).inbound
        return inbound.append([inbound.seal(intake) for intake in intakes])

    def put(self, *intakes: Intake) -> list[Stored]:
        """Appends intakes that must not fail."""
        outcomes = self.append(*intakes)
        assert all(isinstance(outcome, Stored) for outcome in outcomes), outcomes
        return [outcome for outcome in outcomes if isinstance(outcome, Stored)]

    def put_event(self, key: bytes = b"key-1", **fields: Any) -> str:
        """Appends one receipt with one event; returns the event's id."""
        of_intake = {
            name: fields.pop(name)
            for name in ("source_id", "body", "received_at", "provider", "quarantine")
            if name in fields
        }
        event = self.event(key, **fields)
        self.put(self.intake(event, **of_intake))
        return event.id

    def audit(self, action: str = "test", target: str = "x", **detail: str) -> AuditEntry:
        return AuditEntry(
            id=self.ids.new("aud"),
            at=self.clock.now(),
            actor="user:ada",
            action=action,
            target=target,
            detail=detail,
        )

    def source(self, source_id: str = "box", **fields: Any) -> Source:
        values: dict[str, Any] = {
            "id": source_id,
            "provider": "box",
            "name": "Box",
            "settings": {"tolerance_s": 600, "strict": True, "label": "é"},
            "max_body_bytes": 1_000_000,
            "created_at": self.clock.now(),
            "updated_at": self.clock.now(),
            **fields,
        }
        return Source(**values)

    def add_source(self, source_id: str = "box", *secrets: NewSecret, **fields: Any) -> Source:
        source = self.source(source_id, **fields)
        self.store.sources.create(source, secrets, audit=self.audit())
        return source

    def secret(self, value: bytes = b"s3cret", role: str = "primary") -> NewSecret:
        return NewSecret(
            id=self.ids.new("sec"), role=role, value=value, created_at=self.clock.now()
        )

    def add_application(self, name: str = "Shop", **fields: Any) -> Application:
        values: dict[str, Any] = {
            "id": self.ids.new("app"),
            "name": name,
            "created_at": self.clock.now(),
            "updated_at": self.clock.now(),
            **fields,
        }
        application = Application(**values)
        self.store.subscribers.add_application(application, audit=self.audit())
        return application

    def new_key(self, value: bytes = b"k" * 24) -> NewKey:
        return NewKey(id=self.ids.new("whk"), value=value, created_at=self.clock.now())

    def webhook(self, application_id: str, **fields: Any) -> Webhook:
        """A webhook that is not kept yet."""
        values: dict[str, Any] = {
            "id": 0,
            "application_id": application_id,
            "topic": "order.created",
            "address": "https://hooks.example.com/in",
            "profile": ProfileName.STANDARD,
            "state_changed_at": self.clock.now(),
            "created_at": self.clock.now(),
            "updated_at": self.clock.now(),
            **fields,
        }
        return Webhook(**values)

    def add_webhook(
        self,
        application_id: str,
        *,
        key: NewKey | None = None,
        headers: TextHeaders = (),
        most: int = 100,
        **fields: Any,
    ) -> Webhook:
        return self.store.subscribers.add_webhook(
            self.webhook(application_id, **fields),
            key=key or self.new_key(),
            headers=headers,
            most=most,
            audit=self.audit("webhook.add"),
        )

    def dispatch(
        self,
        limit: int = 100,
        *,
        terms: Mapping[str, Sequence[str]] | Sequence[str] = (),
        error: str | None = None,
    ) -> list[Undispatched]:
        """Hands on what waits, noting `terms` (by event id, or for all); returns what was given."""
        given: list[Undispatched] = []

        def work(waiting: Sequence[Undispatched]) -> list[Dispatched]:
            given.extend(waiting)
            return [
                Dispatched(event_id=item.event.id, terms=_terms(terms, item), error=error)
                for item in waiting
            ]

        self.store.dispatch.take(limit, work)
        return given

    def found(self, **query: Any) -> list[str]:
        """Ids of the events of a page."""
        return [event.id for event in self.store.events.page(EventQuery(**query))]

    def state(self, event_id: str) -> EventState:
        return self.store.events.get(event_id).state

    def everything(self) -> bytes:
        """All that lies on disk (SQLite) or in the tables (PostgreSQL), to look for plain text."""
        if self.settings.database_url is None:
            files = self.settings.data_dir.glob("inkwire.db*")
            return b"".join(path.read_bytes() for path in sorted(files))
        url = self.settings.database_url.get_secret_value()
        with psycopg.connect(url) as conn:
            tables = conn.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            ).fetchall()
            dump = b""
            for (table,) in tables:
                with conn.cursor().copy(f"COPY {table} TO STDOUT (FORMAT BINARY)") as copy:
                    dump += b"".join(bytes(part) for part in copy)
        return dump

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query finds behind the store's back."""
        if self.settings.database_url is None:
            with sqlite3.connect(self.settings.data_dir / "inkwire.db") as conn:
                found = conn.execute(statement.replace("%s", "?"), values).fetchall()
            conn.close()
            return found
        with psycopg.connect(self.settings.database_url.get_secret_value()) as conn:
            return conn.execute(statement, values or None).fetchall()

    def sql(self, statement: str, *values: Any) -> None:
        """Runs a statement behind the store's back, by its own connection."""
        if self.settings.database_url is None:
            with sqlite3.connect(self.settings.data_dir / "inkwire.db") as conn:
                conn.execute(statement.replace("%s", "?"), values)
            conn.close()
        else:
            with psycopg.connect(self.settings.database_url.get_secret_value()) as conn:
                conn.execute(statement, values or None)


def _terms(
    terms: Mapping[str, Sequence[str]] | Sequence[str], item: Undispatched
) -> tuple[Term, ...]:
    values = terms.get(item.event.id, ()) if isinstance(terms, Mapping) else terms
    return tuple(Term(kind=TermKind.ID, value=value) for value in values)
