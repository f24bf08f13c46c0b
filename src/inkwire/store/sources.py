"""Sources and their sealed secrets."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from inkwire.errors import CipherError, Conflict, NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.source import COUNTED, Secret, SecretInfo, Source, SourceActivity
from inkwire.store import rows, schema
from inkwire.store.cipher import Cipher, place
from inkwire.store.contract import CONFIG, NewSecret
from inkwire.store.database import Database
from inkwire.store.faults import Violated
from inkwire.store.idtime import IdTime

log = structlog.get_logger()

_DAY = timedelta(hours=24)
_sources = schema.sources
_secrets = schema.source_secrets


class SqlSources:
    """See `contract.Sources`."""

    def __init__(self, database: Database, cipher: Cipher, idtime: IdTime) -> None:
        """`idtime` tells which ids belong to the last day."""
        self._database = database
        self._cipher = cipher
        self._idtime = idtime

    def all(self) -> list[Source]:
        """Every source, by id."""
        with self._database.reading() as conn:
            return _read(conn)

    def get(self, source_id: str) -> Source:
        """One source. Raises NotFound."""
        with self._database.reading() as conn:
            found = _read(conn, source_id)
        if not found:
            raise _missing(source_id)
        return found[0]

    def create(self, source: Source, secrets: Sequence[NewSecret], *, audit: AuditEntry) -> None:
        """Adds a source with its secrets. Raises Conflict if the id is taken."""
        try:
            with self._database.writing() as conn:
                conn.execute(
                    _sources.insert().values(
                        id=source.id,
                        provider=source.provider,
                        created_at=source.created_at,
                        **_changeable(source),
                    )
                )
                for secret in secrets:
                    self._add(conn, source.id, secret)
                rows.add_audit(conn, audit)
                self._database.bump(conn, CONFIG)
        except Violated:
            raise Conflict(f"There is a source {source.id} already; choose another id.") from None

    def update(
        self, source: Source, *, audit: AuditEntry, expected: datetime | None = None
    ) -> None:
        """Replaces everything but id, provider, created_at and secrets. Raises NotFound, Conflict.

        `expected`: the `updated_at` that was read; raises Conflict if it is another by now.
        """
        here = _sources.c.id == source.id
        unchanged = here if expected is None else here & (_sources.c.updated_at == expected)
        with self._database.writing() as conn:
            changed = conn.execute(_sources.update().where(unchanged).values(_changeable(source)))
            if changed.rowcount == 0:
                if conn.scalar(sa.select(_sources.c.id).where(here)) is None:
                    raise _missing(source.id)
                raise Conflict(f"The source {source.id} was changed meanwhile; read it again.")
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def delete(self, source_id: str, *, audit: AuditEntry) -> None:
        """Removes the source and its secrets; receipts and events stay. Raises NotFound."""
        with self._database.writing() as conn:
            gone = conn.execute(_sources.delete().where(_sources.c.id == source_id))
            if gone.rowcount == 0:
                raise _missing(source_id)
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def add_secret(
        self,
        source_id: str,
        secret: NewSecret,
        *,
        expire_others_at: datetime | None,
        audit: AuditEntry,
    ) -> None:
        """Adds a secret; the others of its role end at `expire_others_at`, if not earlier."""
        with self._database.writing() as conn:
            # Locks the source's row on PostgreSQL: two rotations at once take turns.
            touched = conn.execute(
                _sources.update()
                .where(_sources.c.id == source_id)
                .values(updated_at=secret.created_at)
            )
            if touched.rowcount == 0:
                raise _missing(source_id)
            if expire_others_at is not None:
                conn.execute(
                    _secrets.update()
                    .where(
                        _secrets.c.source_id == source_id,
                        _secrets.c.role == secret.role,
                        sa.or_(
                            _secrets.c.expires_at.is_(None),
                            _secrets.c.expires_at > expire_others_at,
                        ),
                    )
                    .values(expires_at=expire_others_at)
                )
            self._add(conn, source_id, secret)
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def remove_secret(self, source_id: str, secret_id: str, *, audit: AuditEntry) -> None:
        """Deletes a secret at once. Raises NotFound."""
        with self._database.writing() as conn:
            gone = conn.execute(
                _secrets.delete().where(
                    _secrets.c.source_id == source_id, _secrets.c.id == secret_id
                )
            )
            if gone.rowcount == 0:
                raise NotFound(f"Source {source_id} has no secret {secret_id}.")
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def open_secrets(self, now: datetime) -> Mapping[str, tuple[Secret, ...]]:
        """Every secret still valid at `now`, opened, newest first, by source id.

        One that does not open is left out with a warning: it stops its own source only.
        """
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(_secrets)
                .where(sa.or_(_secrets.c.expires_at.is_(None), _secrets.c.expires_at > now))
                .order_by(_secrets.c.created_at.desc(), _secrets.c.id.desc())
            ).all()
        opened: dict[str, list[Secret]] = defaultdict(list)
        for row in found:
            try:
                value = self._cipher.unwrap(row.sealed, secret_place(row.source_id, row.id))
            except CipherError as error:
                log.warning(
                    "sources.secret_does_not_open",
                    source=row.source_id,
                    id=row.id,
                    error=error.message,
                )
                continue
            opened[row.source_id].append(
                Secret(id=row.id, role=row.role, value=value, expires_at=row.expires_at)
            )
        return {source_id: tuple(secrets) for source_id, secrets in opened.items()}

    def activity(self, now: datetime) -> Mapping[str, SourceActivity]:
        """When each source was last heard of, by source id."""
        with self._database.reading() as conn:
            ids = conn.scalars(sa.select(_sources.c.id)).all()
            return {source_id: self._activity(conn, source_id, now - _DAY) for source_id in ids}

    def _activity(self, conn: sa.Connection, source_id: str, since: datetime) -> SourceActivity:
        events, rejections, receipts = schema.events, schema.rejections, schema.receipts
        received = conn.scalar(
            sa.select(events.c.received_at)
            .where(events.c.source_id == source_id)
            .order_by(events.c.id.desc())
            .limit(1)
        )
        refused = conn.execute(
            sa.select(rejections.c.at, rejections.c.reason)
            .where(rejections.c.source_id == source_id)
            .order_by(rejections.c.id.desc())
            .limit(1)
        ).one_or_none()
        return SourceActivity(
            last_receipt_at=received,
            last_rejection_at=refused.at if refused else None,
            last_rejection_reason=refused.reason if refused else None,
            receipts_24h=_counted(
                conn,
                events.c.id,
                events.c.source_id == source_id,
                events.c.position == 0,
                *self._idtime.since(events.c.id, events.c.received_at, "evt", since),
            ),
            rejections_24h=_counted(
                conn, rejections.c.id, rejections.c.source_id == source_id, rejections.c.at >= since
            ),
            quarantined=_counted(
                conn, receipts.c.id, receipts.c.source_id == source_id, schema.IS_QUARANTINED
            ),
        )

    def _add(self, conn: sa.Connection, source_id: str, secret: NewSecret) -> None:
        sealed = self._cipher.wrap(secret.value, secret_place(source_id, secret.id))
        conn.execute(
            _secrets.insert().values(
                source_id=source_id,
                id=secret.id,
                role=secret.role,
                created_at=secret.created_at,
                expires_at=None,
                sealed=sealed,
            )
        )


def secret_place(source_id: str, secret_id: str) -> bytes:
    """Associated data of a source's secret."""
    return place("source_secrets", f"{source_id}/{secret_id}", "sealed")


def _read(conn: sa.Connection, source_id: str | None = None) -> list[Source]:
    found = sa.select(_sources).order_by(_sources.c.id)
    held = sa.select(
        _secrets.c.source_id,
        _secrets.c.id,
        _secrets.c.role,
        _secrets.c.created_at,
        _secrets.c.expires_at,
    ).order_by(_secrets.c.created_at.desc(), _secrets.c.id.desc())
    if source_id is not None:
        found = found.where(_sources.c.id == source_id)
        held = held.where(_secrets.c.source_id == source_id)
    infos: dict[str, list[SecretInfo]] = defaultdict(list)
    for row in conn.execute(held):
        infos[row.source_id].append(rows.secret_info(row))
    return [rows.source(row, tuple(infos[row.id])) for row in conn.execute(found)]


def _changeable(source: Source) -> dict[str, object]:
    return {
        "name": source.name,
        "settings": source.settings,
        "event_types": source.event_types,
        "document_ids": source.document_ids,
        "max_body_bytes": source.max_body_bytes,
        "paused": source.paused,
        "managed_by": source.managed_by.value,
        "updated_at": source.updated_at,
    }


def _missing(source_id: str) -> NotFound:
    return NotFound(f"There is no source {source_id}.")


def _counted(conn: sa.Connection, column: sa.Column[str], *where: sa.ColumnElement[bool]) -> int:
    some = sa.select(column).where(*where).limit(COUNTED).subquery()
    return conn.scalar(sa.select(sa.func.count()).select_from(some)) or 0
