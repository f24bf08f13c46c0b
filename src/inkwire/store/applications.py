"""Applications, topics and grants.

Locks on PostgreSQL are taken in one order: application, number, webhooks (by id), deliveries (by
id), health, and the counters last.
"""

from datetime import datetime

import sqlalchemy as sa

from inkwire.errors import Conflict, NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.job import JobState
from inkwire.model.webhook import Application, Topic
from inkwire.moments import to_micros
from inkwire.store import rows, schema, schema_sending
from inkwire.store.contract import CONFIG, DELIVERY, JOB, MAX_PAGE
from inkwire.store.database import Database
from inkwire.store.faults import Violated
from inkwire.store.keepable import require_keepable
from inkwire.store.webhook_states import CANCEL_STEP, cancel_waiting

#: So that no other writer waits long for its turn.
_CANCEL_STEPS = 10
_applications = schema_sending.applications
_topics = schema_sending.topics
_grants = schema_sending.grants
_webhooks = schema_sending.webhooks
_health = schema_sending.webhook_health
_jobs = schema_sending.jobs


class SqlApplications:
    """The first half of `sending.Subscribers`; `webhooks.py` is the other."""

    def __init__(self, database: Database) -> None:
        """Reads nothing yet."""
        self._database = database

    def applications(self, *, before: str | None = None, limit: int = 50) -> list[Application]:
        """Applications, newest first."""
        require_keepable(before)
        wanted = sa.select(_applications).order_by(_applications.c.id.desc())
        if before is not None:
            wanted = wanted.where(_applications.c.id < before)
        with self._database.reading() as conn:
            found = conn.execute(wanted.limit(max(0, min(limit, MAX_PAGE))))
            return [_application(row) for row in found]

    def application(self, application_id: str) -> Application:
        """One application. Raises NotFound."""
        require_keepable(application_id)
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(_applications).where(_applications.c.id == application_id)
            ).one_or_none()
        if row is None:
            raise missing_application(application_id)
        return _application(row)

    def add_application(self, application: Application, *, audit: AuditEntry) -> None:
        """Keeps a new application."""
        require_keepable(application.id, application.name)
        with self._database.writing() as conn:
            conn.execute(
                _applications.insert().values(
                    id=application.id, created_at=application.created_at, **_changeable(application)
                )
            )
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def update_application(self, application: Application, *, audit: AuditEntry) -> None:
        """Replaces name and frame ancestors. Raises NotFound."""
        require_keepable(application.id, application.name)
        with self._database.writing() as conn:
            changed = conn.execute(
                _applications.update()
                .where(_applications.c.id == application.id)
                .values(_changeable(application))
            )
            if changed.rowcount == 0:
                raise missing_application(application.id)
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def delete_application(self, application_id: str, *, audit: AuditEntry) -> None:
        """Removes it, its grants, portal tokens and webhooks; ends its keys, deliveries and jobs.

        Messages, deliveries and attempts stay readable. Raises NotFound.
        """
        require_keepable(application_id)
        mine = sa.select(_webhooks.c.id).where(_webhooks.c.application_id == application_id)
        with self._database.writing() as conn:
            lock_application(conn, application_id)
            for webhook_id in list(conn.scalars(mine.order_by(_webhooks.c.id).with_for_update())):
                cancel_what_waits(conn, webhook_id, at=audit.at)
            conn.execute(_health.delete().where(_health.c.webhook_id.in_(mine)))
            conn.execute(_webhooks.delete().where(_webhooks.c.application_id == application_id))
            conn.execute(
                _jobs.update()
                .where(_jobs.c.application_id == application_id, schema_sending.IS_RUNNING)
                .values(state=JobState.CANCELLED.value, updated_at=audit.at)
            )
            _end_access(conn, application_id, audit.at)
            conn.execute(_applications.delete().where(_applications.c.id == application_id))
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG, DELIVERY, JOB)

    def topics(self) -> list[Topic]:
        """The operator's own topics, by name."""
        with self._database.reading() as conn:
            found = conn.execute(sa.select(_topics).order_by(_topics.c.name))
            return [_topic(row) for row in found]

    def put_topic(self, topic: Topic, *, at: datetime, audit: AuditEntry) -> None:
        """Adds or replaces a topic."""
        require_keepable(topic.name, topic.description)
        try:
            self._put_topic(topic, at, audit)
        except Violated:  # somebody else added it at the same moment: now it is there to replace
            self._put_topic(topic, at, audit)

    def _put_topic(self, topic: Topic, at: datetime, audit: AuditEntry) -> None:
        values = {
            "description": topic.description,
            "schema": topic.schema,
            "example": topic.example,
            "granted_to_all": topic.granted_to_all,
            "updated_at": at,
        }
        with self._database.writing() as conn:
            changed = conn.execute(
                _topics.update().where(_topics.c.name == topic.name).values(values)
            )
            if changed.rowcount == 0:
                conn.execute(_topics.insert().values(name=topic.name, created_at=at, **values))
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def delete_topic(self, name: str, *, audit: AuditEntry) -> None:
        """Removes a topic. Raises NotFound, and Conflict while webhooks subscribe to it."""
        require_keepable(name)
        with self._database.writing() as conn:
            gone = conn.execute(_topics.delete().where(_topics.c.name == name))
            if gone.rowcount == 0:
                raise NotFound(f"There is no topic {name} of your own.")
            subscribed = conn.scalar(
                sa.select(_webhooks.c.id)
                .where(_webhooks.c.topic == name, schema_sending.NOT_DELETED)
                .limit(1)
            )
            if subscribed is not None:
                raise Conflict(
                    f"Webhook {subscribed} subscribes to {name}; delete the webhooks of this "
                    "topic first."
                )
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def grants(self, application_id: str) -> frozenset[str]:
        """Topics granted to the application. Raises NotFound."""
        self.application(application_id)
        with self._database.reading() as conn:
            return frozenset(
                conn.scalars(
                    sa.select(_grants.c.topic).where(_grants.c.application_id == application_id)
                )
            )

    def set_grants(
        self, application_id: str, topics: frozenset[str], *, at: datetime, audit: AuditEntry
    ) -> None:
        """Replaces the grants of an application; one it had keeps its time. Raises NotFound."""
        require_keepable(application_id, *topics)
        mine = _grants.c.application_id == application_id
        with self._database.writing() as conn:
            lock_application(conn, application_id)
            held = set(conn.scalars(sa.select(_grants.c.topic).where(mine)))
            for topic in sorted(held - topics):
                conn.execute(_grants.delete().where(mine, _grants.c.topic == topic))
            for topic in sorted(topics - held):
                conn.execute(
                    _grants.insert().values(
                        application_id=application_id, topic=topic, created_at=at
                    )
                )
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def granted(self, topic: str) -> list[str]:
        """Ids of the applications that hold a grant of the topic, in order."""
        require_keepable(topic)
        wanted = sa.select(_grants.c.application_id).where(_grants.c.topic == topic)
        with self._database.reading() as conn:
            return list(conn.scalars(wanted.order_by(_grants.c.application_id)))

    def granted_topics(self) -> frozenset[str]:
        """Every topic that some application holds a grant of."""
        with self._database.reading() as conn:
            return frozenset(conn.scalars(sa.select(_grants.c.topic).distinct()))


def lock_application(conn: sa.Connection, application_id: str) -> None:
    """Holds the application until the end of the transaction. Raises NotFound."""
    wanted = sa.select(_applications.c.id).where(_applications.c.id == application_id)
    if conn.scalar(wanted.with_for_update()) is None:
        raise missing_application(application_id)


def cancel_what_waits(conn: sa.Connection, webhook_id: int, *, at: datetime) -> None:
    """Cancels what waits for a webhook that ends; of a great many the claims cancel the rest.

    What is being sent just now stays, so that its attempt is recorded; it is cancelled after it.
    """
    for _ in range(_CANCEL_STEPS):
        if cancel_waiting(conn, webhook_id, now=to_micros(at)) < CANCEL_STEP:
            return


def missing_application(application_id: str) -> NotFound:
    """There is none of that id."""
    return NotFound(f"There is no application {application_id}.")


def _end_access(conn: sa.Connection, application_id: str, at: datetime) -> None:
    """Revokes its API keys, removes the tokens of its portal."""
    keys, tokens = schema.api_keys, schema_sending.portal_tokens
    conn.execute(
        keys.update()
        .where(keys.c.application_id == application_id, keys.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    conn.execute(tokens.delete().where(tokens.c.application_id == application_id))


def _application(row: rows.Row) -> Application:
    return Application(
        id=row.id,
        name=row.name,
        frame_ancestors=tuple(row.frame_ancestors),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _changeable(application: Application) -> dict[str, object]:
    return {
        "name": application.name,
        "frame_ancestors": application.frame_ancestors,
        "updated_at": application.updated_at,
    }


def _topic(row: rows.Row) -> Topic:
    return Topic(
        name=row.name,
        description=row.description,
        schema=row.schema,
        example=row.example,
        granted_to_all=row.granted_to_all,
    )
