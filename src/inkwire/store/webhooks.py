"""Webhooks: numbered, unique by application, topic and address; their keys and headers sealed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from inkwire.errors import Conflict
from inkwire.model.access import AuditEntry
from inkwire.model.message import TextHeaders
from inkwire.model.webhook import FIRST_WEBHOOK, Webhook, WebhookHealth, WebhookState
from inkwire.store import rows, schema_sending
from inkwire.store.applications import cancel_what_waits, lock_application
from inkwire.store.cipher import Cipher
from inkwire.store.contract import CONFIG, DELIVERY
from inkwire.store.database import Database
from inkwire.store.keepable import MAX_NUMBER, require_keepable
from inkwire.store.sending import NewKey, Rotation, WebhookQuery
from inkwire.store.webhook_reads import (
    known_number,
    missing_webhook,
    one_webhook,
    page_of_webhooks,
    webhook_health,
)
from inkwire.store.webhook_seals import key_place, opened_headers, sealed_headers

_webhooks = schema_sending.webhooks
_keys = schema_sending.webhook_keys
_health = schema_sending.webhook_health
_NUMBER = sa.text(
    "INSERT INTO numbers (name, value) VALUES ('webhook', :first) "
    "ON CONFLICT (name) DO UPDATE SET value = numbers.value + 1 RETURNING value"
)
_GETS_NONE = (WebhookState.DISABLED, WebhookState.DELETED)


class SqlWebhooks:
    """The second half of `sending.Subscribers`."""

    _database: Database
    _cipher: Cipher

    def webhooks(self, query: WebhookQuery) -> list[Webhook]:
        """At most `query.limit` webhooks."""
        require_keepable(query.application_id, query.topic, query.text)
        with self._database.reading() as conn:
            return page_of_webhooks(conn, query)

    def webhook(self, webhook_id: int, *, application_id: str | None) -> Webhook:
        """One webhook, a deleted one too. Raises NotFound."""
        require_keepable(application_id)
        with self._database.reading() as conn:
            return one_webhook(conn, webhook_id, application_id)

    def add_webhook(
        self,
        webhook: Webhook,
        *,
        key: NewKey,
        headers: TextHeaders,
        most: int,
        audit: AuditEntry,
    ) -> Webhook:
        """Numbers and keeps a webhook (its `id` is ignored; `header_names` are those given).

        Raises NotFound without the application, Conflict (code `webhook_exists`) if the
        application has an undeleted one of that topic and address, and Conflict (code
        `too_many_webhooks`) if it has `most`. The audit entry's target becomes the number.
        """
        _require_keepable(webhook, headers)
        require_keepable(webhook.application_id, webhook.topic, key.id)
        with self._database.writing() as conn:
            lock_application(conn, webhook.application_id)
            _require_free(conn, replace(webhook, id=0))
            _require_room(conn, webhook.application_id, most)
            number = int(conn.execute(_NUMBER, {"first": FIRST_WEBHOOK}).scalar_one())
            conn.execute(
                _webhooks.insert().values(
                    id=number,
                    application_id=webhook.application_id,
                    topic=webhook.topic,
                    created_at=webhook.created_at,
                    **_changeable(webhook),
                    **self._sealed(number, headers),
                )
            )
            self._add_key(conn, number, key)
            rows.add_audit(conn, replace(audit, target=str(number)))
            self._database.bump(conn, CONFIG)
            return one_webhook(conn, number, None)

    def update_webhook(
        self,
        webhook: Webhook,
        *,
        headers: TextHeaders | None,
        expected: datetime,
        audit: AuditEntry,
        rotation: Rotation | None = None,
    ) -> Webhook:
        """Replaces all but id, application, topic, created_at and keys; headers None: they stay.

        `expected`: the `updated_at` that was read. `rotation`: as `add_key`, in the same
        transaction. Raises NotFound, Conflict if it is another by now, Conflict
        (`webhook_exists`) as `add_webhook`. Deleting or disabling cancels what waits; back to
        ACTIVE the breaker closes and the failures start at 0.
        """
        _require_keepable(webhook, headers or ())
        require_keepable(webhook.application_id)
        with self._database.writing() as conn:
            # Holds the application too: nobody else takes the address meanwhile.
            old = one_webhook(conn, webhook.id, webhook.application_id)
            lock_application(conn, old.application_id)
            old = one_webhook(conn, webhook.id, webhook.application_id, lock=True)
            if old.updated_at != expected:
                raise Conflict(f"Webhook {old.id} was changed meanwhile; read it again.")
            if webhook.state is not WebhookState.DELETED:
                _require_free(conn, replace(webhook, topic=old.topic))
            sealed = {} if headers is None else self._sealed(old.id, headers)
            conn.execute(
                _webhooks.update()
                .where(_webhooks.c.id == old.id)
                .values(**_changeable(webhook), **sealed)
            )
            _follow(conn, old, webhook.state, audit.at)
            rows.add_audit(conn, audit)
            if rotation is not None:
                self._rotate(conn, old.id, rotation)
            self._database.bump(conn, CONFIG, DELIVERY)
            return one_webhook(conn, old.id, None)

    def add_key(
        self, webhook_id: int, key: NewKey, *, expire_others_at: datetime, audit: AuditEntry
    ) -> None:
        """Adds a signing key, the first from now on; the others end at `expire_others_at`.

        One that already ends earlier keeps its end. Raises NotFound.
        """
        rotation = Rotation(key=key, expire_others_at=expire_others_at, audit=audit)
        with self._database.writing() as conn:
            one_webhook(conn, webhook_id, None, lock=True)  # two rotations at once take turns
            self._rotate(conn, webhook_id, rotation)
            self._database.bump(conn, CONFIG)

    def open_headers(self, webhook_id: int) -> TextHeaders:
        """The webhook's own headers in plain. Raises NotFound, CipherError."""
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(_webhooks.c.headers).where(_webhooks.c.id == known_number(webhook_id))
            ).one_or_none()
        if row is None:
            raise missing_webhook(webhook_id)
        return opened_headers(self._cipher, webhook_id, row.headers)

    def health(self, webhook_ids: Sequence[int]) -> Mapping[int, WebhookHealth]:
        """How their endpoints have been doing; one without a row is new."""
        wanted = {number: WebhookHealth(webhook_id=number) for number in webhook_ids}
        within = [number for number in wanted if 0 < number <= MAX_NUMBER]
        with self._database.reading() as conn:
            found = conn.execute(sa.select(_health).where(_health.c.webhook_id.in_(within)))
            return wanted | {row.webhook_id: webhook_health(row) for row in found}

    def _sealed(self, webhook_id: int, headers: TextHeaders) -> dict[str, object]:
        return {
            "header_names": [name for name, _ in headers],
            "headers": sealed_headers(self._cipher, webhook_id, headers),
        }

    def _rotate(self, conn: sa.Connection, webhook_id: int, rotation: Rotation) -> None:
        """Of a webhook that is held."""
        require_keepable(rotation.key.id)
        end = rotation.expire_others_at
        conn.execute(
            _keys.update()
            .where(
                _keys.c.webhook_id == webhook_id,
                sa.or_(_keys.c.expires_at.is_(None), _keys.c.expires_at > end),
            )
            .values(expires_at=end)
        )
        self._add_key(conn, webhook_id, rotation.key)
        rows.add_audit(conn, rotation.audit)

    def _add_key(self, conn: sa.Connection, webhook_id: int, key: NewKey) -> None:
        conn.execute(
            _keys.insert().values(
                webhook_id=webhook_id,
                id=key.id,
                created_at=key.created_at,
                expires_at=None,
                sealed=self._cipher.wrap(key.value, key_place(webhook_id, key.id)),
            )
        )


def _require_free(conn: sa.Connection, webhook: Webhook) -> None:
    """Raises Conflict if another undeleted webhook has its topic and address."""
    taken = conn.scalar(
        sa.select(_webhooks.c.id).where(
            _webhooks.c.application_id == webhook.application_id,
            _webhooks.c.topic == webhook.topic,
            _webhooks.c.address == webhook.address,
            _webhooks.c.id != known_number(webhook.id),
            schema_sending.NOT_DELETED,
        )
    )
    if taken is not None:
        raise Conflict(
            f"Webhook {taken} has the topic {webhook.topic} and this address already; change that "
            "one, or choose another address.",
            code="webhook_exists",
        )


def _require_room(conn: sa.Connection, application_id: str, most: int) -> None:
    held = conn.scalar(
        sa.select(sa.func.count())
        .select_from(_webhooks)
        .where(_webhooks.c.application_id == application_id, schema_sending.NOT_DELETED)
    )
    if (held or 0) >= most:
        raise Conflict(
            f"The application has {held} webhooks, and {most} are the most that it may have; "
            "delete one first.",
            code="too_many_webhooks",
        )


def _follow(conn: sa.Connection, old: Webhook, state: WebhookState, at: datetime) -> None:
    """What a new state brings about."""
    if state in _GETS_NONE:
        cancel_what_waits(conn, old.id, at=at)
    elif state is WebhookState.ACTIVE and old.state is not state:
        conn.execute(
            _health.update()
            .where(_health.c.webhook_id == old.id)
            .values(failures=0, breaker_until=None, breaker_opens=0)
        )


def _changeable(webhook: Webhook) -> dict[str, object]:
    return {
        "address": webhook.address,
        "profile": webhook.profile.value,
        "state": webhook.state.value,
        "state_reason": webhook.state_reason,
        "state_changed_at": webhook.state_changed_at,
        "description": webhook.description,
        "document_ids": webhook.document_ids,
        "filters": webhook.filters,
        "rate_per_minute": webhook.rate_per_minute,
        "max_in_flight": webhook.max_in_flight,
        "updated_at": webhook.updated_at,
    }


def _require_keepable(webhook: Webhook, headers: TextHeaders) -> None:
    require_keepable(webhook.address, webhook.description, webhook.state_reason)
    for name, value in headers:
        require_keepable(name, value)
