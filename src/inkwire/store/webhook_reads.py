"""Reads webhooks with what may be shown of their keys."""

from collections import defaultdict
from dataclasses import replace

import sqlalchemy as sa

from inkwire.errors import NotFound
from inkwire.model.webhook import Webhook, WebhookHealth, WebhookKeyInfo
from inkwire.store import rows, schema_sending
from inkwire.store.contract import MAX_PAGE
from inkwire.store.keepable import MAX_NUMBER
from inkwire.store.sending import WebhookQuery
from inkwire.store.sending_rows import WEBHOOK_FIELDS, may_see, webhook

_webhooks = schema_sending.webhooks
_keys = schema_sending.webhook_keys
_health = schema_sending.webhook_health


def page_of_webhooks(conn: sa.Connection, query: WebhookQuery) -> list[Webhook]:
    """At most `query.limit` (≤ MAX_PAGE) webhooks that meet every filter, in order."""
    wanted = sa.select(*WEBHOOK_FIELDS).where(*_conditions(query))
    ids = _webhooks.c.id
    if query.after is not None:
        after = max(0, min(query.after, MAX_NUMBER))
        wanted = wanted.where(ids > after if query.ascending else ids < after)
    wanted = wanted.order_by(ids if query.ascending else ids.desc())
    return _with_keys(conn, wanted.limit(max(0, min(query.limit, MAX_PAGE))))


def one_webhook(
    conn: sa.Connection, webhook_id: int, application_id: str | None, *, lock: bool = False
) -> Webhook:
    """One webhook, held until the end of the transaction if `lock`. Raises NotFound."""
    mine = may_see(_webhooks.c.application_id, application_id)
    wanted = sa.select(*WEBHOOK_FIELDS).where(_webhooks.c.id == known_number(webhook_id), *mine)
    found = _with_keys(conn, wanted.with_for_update() if lock else wanted)
    if not found:
        raise missing_webhook(webhook_id)
    return found[0]


def webhook_health(row: rows.Row) -> WebhookHealth:
    """The health of a webhook's endpoint."""
    return WebhookHealth(
        webhook_id=row.webhook_id,
        failures=row.failures,
        last_success_at=row.last_success_at,
        last_failure_at=row.last_failure_at,
        breaker_until=row.breaker_until,
        breaker_opens=row.breaker_opens,
    )


def missing_webhook(webhook_id: int) -> NotFound:
    """There is none of that number, or it is another application's: both sound the same."""
    return NotFound(f"There is no webhook {webhook_id}.")


def known_number(webhook_id: int) -> int:
    """The number, or one that no webhook has if no column could hold it."""
    return webhook_id if 0 < webhook_id <= MAX_NUMBER else 0


def _conditions(query: WebhookQuery) -> list[sa.ColumnElement[bool]]:
    where = list(may_see(_webhooks.c.application_id, query.application_id))
    where.append(
        schema_sending.NOT_DELETED
        if query.state is None
        else _webhooks.c.state == query.state.value
    )
    if query.topic is not None:
        where.append(_webhooks.c.topic == query.topic)
    if query.text:
        # Both dialects fold ASCII letters only: that is the collation's way.
        part = query.text.encode().lower().decode()
        places = (_webhooks.c.address, _webhooks.c.description)
        where.append(
            sa.or_(*(sa.func.lower(one).contains(part, autoescape=True) for one in places))
        )
    if query.failing:
        failing = sa.select(_health.c.webhook_id).where(_health.c.failures > 0)
        where.append(_webhooks.c.id.in_(failing))
    return where


def _with_keys(conn: sa.Connection, wanted: sa.Select[tuple[object, ...]]) -> list[Webhook]:
    found = [webhook(row) for row in conn.execute(wanted)]
    held: dict[int, list[WebhookKeyInfo]] = defaultdict(list)
    for row in conn.execute(
        sa.select(_keys.c.webhook_id, _keys.c.id, _keys.c.created_at, _keys.c.expires_at)
        .where(_keys.c.webhook_id.in_([one.id for one in found]))
        .order_by(_keys.c.created_at.desc(), _keys.c.id.desc())
    ):
        held[row.webhook_id].append(
            WebhookKeyInfo(id=row.id, created_at=row.created_at, expires_at=row.expires_at)
        )
    return [replace(one, keys=tuple(held[one.id])) for one in found]
