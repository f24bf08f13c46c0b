"""The desk of applications, topics and grants: what an operator sets up for subscribers."""

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.delivery.catalogue import Catalogue
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.webhook import Application, Topic
from inkwire.store.contract import MAX_PAGE, Store

MAX_NAME = 100
MAX_ANCESTORS = 10
MAX_GRANTS = 500
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")


class ApplicationDesk:
    """Makes and changes applications and topics, and grants topics. Needs `applications`.

    Reading needs `webhooks:read`; a caller that speaks for an application sees that one only.
    """

    def __init__(self, *, store: Store, catalogue: Catalogue, clock: Clock, ids: Ids) -> None:
        self._subscribers = store.subscribers
        self._catalogue = catalogue
        self._clock = clock
        self._ids = ids
        self._audit = Auditor(clock, ids)

    def all(
        self, caller: Caller, *, before: str | None = None, limit: int = 50
    ) -> list[Application]:
        """Applications, newest first."""
        caller.require(Scope.WEBHOOKS_READ)
        if caller.application_id is not None:
            return [] if before else [self._subscribers.application(caller.application_id)]
        return self._subscribers.applications(before=before, limit=max(1, min(limit, MAX_PAGE)))

    def get(self, caller: Caller, application_id: str) -> Application:
        """One application. Raises NotFound."""
        caller.require(Scope.WEBHOOKS_READ)
        if caller.application_id not in (None, application_id):
            raise NotFound(f"There is no application {application_id}.")
        return self._subscribers.application(application_id)

    def check(self, caller: Caller, application_id: str) -> None:
        """Raises NotFound if there is no such application, for what needs `applications`."""
        _operator(caller)
        self._subscribers.application(application_id)

    def create(
        self, caller: Caller, *, name: str, frame_ancestors: Sequence[str] = ()
    ) -> Application:
        """Adds an application. Raises InvalidInput naming every wrong field."""
        _operator(caller)
        now = self._clock.now()
        application = Application(
            id=self._ids.new("app"),
            name=name,
            frame_ancestors=tuple(frame_ancestors),
            created_at=now,
            updated_at=now,
        )
        _check(application)
        audit = self._audit.entry(caller, "application.create", application.id, name=name)
        self._subscribers.add_application(application, audit=audit)
        return application

    def change(
        self,
        caller: Caller,
        application_id: str,
        *,
        name: str | None = None,
        frame_ancestors: Sequence[str] | None = None,
    ) -> Application:
        """Changes the given fields. Raises NotFound, InvalidInput."""
        _operator(caller)
        old = self._subscribers.application(application_id)
        new = replace(
            old,
            name=old.name if name is None else name,
            frame_ancestors=old.frame_ancestors
            if frame_ancestors is None
            else tuple(frame_ancestors),
            updated_at=self._clock.now(),
        )
        _check(new)
        audit = self._audit.entry(caller, "application.update", old.id, name=new.name)
        self._subscribers.update_application(new, audit=audit)
        return new

    def delete(self, caller: Caller, application_id: str) -> None:
        """Removes an application, its keys, grants and webhooks. Raises NotFound."""
        _operator(caller)
        audit = self._audit.entry(caller, "application.delete", application_id)
        self._subscribers.delete_application(application_id, audit=audit)

    # --- topics and grants

    def topics(self, caller: Caller) -> list[Topic]:
        """The catalogue; for an application only what it may subscribe to."""
        caller.require(Scope.WEBHOOKS_READ)
        return self._catalogue.all(application_id=caller.application_id)

    def put_topic(self, caller: Caller, topic: Topic) -> Topic:
        """Adds or replaces a topic of the operator's own. Raises InvalidInput, Conflict."""
        _operator(caller)
        self._catalogue.check(topic)
        audit = self._audit.entry(caller, "topic.put", topic.name)
        self._subscribers.put_topic(topic, at=audit.at, audit=audit)
        return topic

    def delete_topic(self, caller: Caller, name: str) -> None:
        """Removes a topic. Raises NotFound, Conflict if it is built in or subscribed to."""
        _operator(caller)
        if self._catalogue.is_builtin(name):
            raise Conflict(f"The topic {name} is built in and stays.")
        audit = self._audit.entry(caller, "topic.delete", name)
        self._subscribers.delete_topic(name, audit=audit)

    def grants(self, caller: Caller, application_id: str) -> frozenset[str]:
        """Topics granted to an application beside those that all may hear. Raises NotFound."""
        self.get(caller, application_id)
        return self._subscribers.grants(application_id)

    def set_grants(
        self, caller: Caller, application_id: str, topics: Sequence[str]
    ) -> frozenset[str]:
        """Replaces the grants of an application. Raises NotFound, InvalidInput."""
        _operator(caller)
        wanted = frozenset(topics)
        if len(wanted) > MAX_GRANTS:
            raise InvalidInput(fields={"topics": f"must be at most {MAX_GRANTS}"})
        for name in sorted(wanted):
            self._catalogue.get(name)
        audit = self._audit.entry(
            caller, "application.grant", application_id, topics=" ".join(sorted(wanted))
        )
        self._subscribers.set_grants(application_id, wanted, at=audit.at, audit=audit)
        return wanted


def _operator(caller: Caller) -> None:
    """Raises Forbidden unless the caller may set up applications."""
    caller.require(Scope.APPLICATIONS)


def _check(application: Application) -> None:
    name, wrong = application.name, {}
    if not (1 <= len(name) <= MAX_NAME and name.isprintable() and name == name.strip()):
        wrong["name"] = f"must be 1 to {MAX_NAME} printable characters, without blanks at the ends"
    origins = application.frame_ancestors
    if len(origins) > MAX_ANCESTORS or not all(map(_is_origin, origins)):
        wrong["frame_ancestors"] = (
            f"must be at most {MAX_ANCESTORS} origins such as https://app.example.com"
        )
    if wrong:
        raise InvalidInput(fields=wrong)


def _is_origin(text: str) -> bool:
    if not _ORIGIN.fullmatch(text):
        return False
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False
