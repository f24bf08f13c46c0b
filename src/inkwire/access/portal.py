"""The door of the portal: a link that opens once, and the session behind it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from inkwire.access import tokens
from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.errors import Forbidden, NotFound, Unauthenticated
from inkwire.ids import Ids
from inkwire.model.access import (
    APPLICATION_SCOPES,
    Caller,
    PortalToken,
    PortalTokenKind,
    Scope,
)
from inkwire.model.webhook import Application
from inkwire.store.contract import Store

#: How long a link may wait to be opened: it is made for a click that follows at once.
LINK_LIFE = timedelta(minutes=10)
_ACTOR = "portal:"


@dataclass(frozen=True, kw_only=True, slots=True)
class PortalVisit:
    """Somebody in an application's portal."""

    #: Reaches that application only.
    caller: Caller
    #: Its `csrf` must come back with every form.
    session: PortalToken
    #: Whose portal it is.
    application: Application

    @property
    def csrf(self) -> str:
        """What must come back with every form of theirs."""
        return self.session.csrf


class PortalDoor:
    """Makes links into an application's portal, and knows who came in by one.

    A link's token stands in the URL's fragment, which no server sees; the page swaps it for a
    session by POST. The store keeps only hashes.
    """

    def __init__(self, *, store: Store, clock: Clock, ids: Ids, session_hours: int) -> None:
        """`session_hours`: how long somebody stays in."""
        self._access = store.access
        self._subscribers = store.subscribers
        self._clock = clock
        self._audit = Auditor(clock, ids)
        self._session = timedelta(hours=session_hours)

    def link(self, caller: Caller, application_id: str) -> tuple[str, datetime]:
        """A token that lets one browser in, and when it expires.

        An operator needs the scope `applications`. An application's own key needs every scope
        that a session has (`webhooks:write` among them), so that a link widens nothing; and a
        session makes no further links. Raises Forbidden, and NotFound for another application.
        """
        if caller.actor.startswith(_ACTOR):
            raise Forbidden("A session of the portal makes no links; ask with an API key.")
        own = caller.application_id is not None
        for scope in sorted(APPLICATION_SCOPES) if own else [Scope.APPLICATIONS]:
            caller.require(scope)
        if caller.application_id not in (None, application_id):
            raise NotFound(f"There is no application {application_id}.")
        self._subscribers.application(application_id)
        text, now = tokens.new_token(), self._clock.now()
        link = PortalToken(
            token_hash=tokens.hash_token(text),
            application_id=application_id,
            kind=PortalTokenKind.LINK,
            created_at=now,
            expires_at=now + LINK_LIFE,
            created_by=caller.actor,
        )
        audit = self._audit.entry(caller, "portal.link", application_id)
        self._access.add_portal_token(link, audit=audit)
        return text, link.expires_at

    def enter(self, token: str) -> tuple[str, str, datetime]:
        """Swaps a link's token for a session: its cookie, its form token, and when it ends.

        The link is used up by that. Raises Unauthenticated for one that is unknown, too old, or
        used.
        """
        link = None
        if tokens.looks_like_token(token):
            link = self._access.take_portal_token(tokens.hash_token(token))
        now = self._clock.now()
        if link is None or link.kind is not PortalTokenKind.LINK or link.expires_at <= now:
            raise Unauthenticated(
                "This link was used already, or is too old; open the portal anew where you "
                "found it."
            )
        cookie = tokens.new_token()
        session = PortalToken(
            token_hash=tokens.hash_token(cookie),
            application_id=link.application_id,
            kind=PortalTokenKind.SESSION,
            csrf=tokens.new_token(),
            created_at=now,
            expires_at=now + self._session,
            created_by=link.created_by,
        )
        self._access.add_portal_token(session)
        return cookie, session.csrf, session.expires_at

    def session(self, cookie: str | None) -> PortalVisit | None:
        """Who holds this cookie; None if nobody, or no longer."""
        if cookie is None or not tokens.looks_like_token(cookie):
            return None
        held = self._access.portal_session(tokens.hash_token(cookie))
        if held is None or held.kind is not PortalTokenKind.SESSION:
            return None
        if held.expires_at <= self._clock.now():
            return None
        try:
            application = self._subscribers.application(held.application_id)
        except NotFound:  # deleted meanwhile
            return None
        caller = Caller(
            actor=f"{_ACTOR}{held.application_id}",
            scopes=APPLICATION_SCOPES,
            application_id=held.application_id,
        )
        return PortalVisit(caller=caller, session=held, application=application)

    def leave(self, cookie: str) -> None:
        """Ends the session of this cookie, if there is one."""
        if tokens.looks_like_token(cookie):
            self._access.end_portal_session(tokens.hash_token(cookie))
