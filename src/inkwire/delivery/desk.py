"""The desk where webhooks are made and changed: who may, what fits, and the audit entry."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.delivery.catalogue import Catalogue
from inkwire.delivery.drafts import Checked, WebhookDraft, WebhookPatch
from inkwire.delivery.profiles import PROFILES
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.webhook import Webhook, WebhookHealth, WebhookState
from inkwire.store.contract import Store
from inkwire.store.sending import NewKey, Rotation, WebhookQuery

#: Looks a host and port up: why the guard refuses them; None: it does not.
Look = Callable[[str, int], str | None]

#: Keys of a webhook that sign at the same time: each adds a signature to a header.
MAX_VALID_KEYS = 10

#: What a person may make of a webhook in each state.
_MOVES: Mapping[WebhookState, frozenset[WebhookState]] = {
    WebhookState.ACTIVE: frozenset(WebhookState),
    WebhookState.PAUSED: frozenset(WebhookState),
    WebhookState.DISABLED: frozenset({WebhookState.ACTIVE, WebhookState.DELETED}),
    WebhookState.DELETED: frozenset({WebhookState.ACTIVE}),
}


class WebhookDesk:
    """Makes, changes and shows webhooks. Needs `webhooks:read` or `webhooks:write`.

    A caller that speaks for an application reaches that application's webhooks only: every other
    one is NotFound, as if it were not there. A deleted webhook is there for an operator only.
    """

    def __init__(
        self, *, store: Store, catalogue: Catalogue, clock: Clock, ids: Ids, look: Look, most: int
    ) -> None:
        """`look`: the outbound guard's; `most`: webhooks that one application may have."""
        self._subscribers = store.subscribers
        self._catalogue = catalogue
        self._clock = clock
        self._ids = ids
        self._audit = Auditor(clock, ids)
        self._look = look
        self._most = most
        self._changing = threading.Lock()

    def all(self, caller: Caller, query: WebhookQuery) -> list[Webhook]:
        """The webhooks that the query asks for, of those that the caller may see."""
        caller.require(Scope.WEBHOOKS_READ)
        if caller.application_id is not None:
            query = replace(query, application_id=caller.application_id)
            if query.state is WebhookState.DELETED:
                return []
        return self._subscribers.webhooks(query)

    def get(
        self, caller: Caller, webhook_id: int, *, scope: Scope = Scope.WEBHOOKS_READ
    ) -> Webhook:
        """One webhook, for what needs `scope`. Raises NotFound."""
        caller.require(scope)
        return self._get(caller, webhook_id)

    def health(self, caller: Caller, webhooks: Sequence[Webhook]) -> Mapping[int, WebhookHealth]:
        """How the endpoints of webhooks that the caller was given have been doing."""
        caller.require(Scope.WEBHOOKS_READ)
        return self._subscribers.health([webhook.id for webhook in webhooks])

    def create(
        self, caller: Caller, application_id: str | None, draft: WebhookDraft
    ) -> tuple[Webhook, str | None]:
        """Adds a webhook; the second value is the key if it was made up, shown this once.

        `application_id` None: the caller's own. Raises NotFound for another application,
        InvalidInput naming every wrong field, Conflict (`webhook_exists`, `too_many_webhooks`).
        """
        caller.require(Scope.WEBHOOKS_WRITE)
        owner = self.owner(caller, application_id)
        checked, now = Checked(draft.profile), self._clock.now()
        checked.add("topic", self._catalogue.problem(owner, draft.topic))
        key = checked.key(draft.key)
        headers = checked.headers(draft.headers)
        webhook = Webhook(
            id=0,
            application_id=owner,
            topic=draft.topic,
            address=checked.address(draft.address),
            profile=draft.profile,
            state_changed_at=now,
            description=checked.description(draft.description),
            document_ids=checked.document_ids(draft.document_ids),
            filters=checked.filters(draft.filters),
            header_names=tuple(name for name, _ in headers),
            rate_per_minute=checked.rate(draft.rate_per_minute),
            max_in_flight=checked.in_flight(draft.max_in_flight),
            created_at=now,
            updated_at=now,
        )
        checked.close()
        self._guard(webhook.address)
        audit = self._audit.entry(
            caller, "webhook.create", "", application=owner, topic=draft.topic
        )
        made = self._subscribers.add_webhook(
            webhook, key=self._key(key, now), headers=headers, most=self._most, audit=audit
        )
        return made, key if draft.key is None else None

    def change(
        self, caller: Caller, webhook_id: int, patch: WebhookPatch, *, enable: bool = False
    ) -> Webhook:
        """Changes the given fields. Raises InvalidInput naming every wrong one; the topic stays.

        A key takes the place of the others after the profile's overlap. `enable`: a disabled
        webhook becomes active by it, as in BoxC's API.
        """
        caller.require(Scope.WEBHOOKS_WRITE)
        old = self._get(caller, webhook_id)
        new, _ = _patched(old, patch)
        enables = enable and old.state is WebhookState.DISABLED
        if enables or new.address != old.address:
            self._guard(new.address)  # before the lock: somebody's name server may be slow
        with self._changing:
            old = self._get(caller, webhook_id)
            new, headers = _patched(old, patch)
            if enable and old.state is WebhookState.DISABLED:
                new = replace(
                    new,
                    state=WebhookState.ACTIVE,
                    state_reason=None,
                    state_changed_at=self._clock.now(),
                )
            rotation = None
            if patch.key is not None:
                rotation = self._rotation(caller, old, patch.key, PROFILES[old.profile].overlap_s)
            return self._write(caller, old, new, "webhook.update", headers, rotation=rotation)

    def rotate(
        self, caller: Caller, webhook_id: int, *, key: str | None = None, overlap_s: int | None
    ) -> tuple[Webhook, str | None]:
        """Gives a webhook another key; the second value is the key if it was made up.

        `overlap_s`: seconds (to 7 days) for which a profile that can sign with several keys goes
        on signing with the old ones too; None: the profile's usual. Raises InvalidInput.
        """
        caller.require(Scope.WEBHOOKS_WRITE)
        with self._changing:
            webhook = self._get(caller, webhook_id)
            profile = PROFILES[webhook.profile]
            overlap_s = profile.overlap_s if overlap_s is None else overlap_s
            checked = Checked(webhook.profile)
            if not 0 <= overlap_s <= profile.max_overlap_s:
                checked.add("overlap_s", f"must be 0 to {profile.max_overlap_s} seconds")
            text = checked.key(key)
            checked.close()
            rotation = self._rotation(caller, webhook, text, overlap_s)
            self._subscribers.add_key(
                webhook.id,
                rotation.key,
                expire_others_at=rotation.expire_others_at,
                audit=rotation.audit,
            )
        return self._get(caller, webhook_id), text if key is None else None

    def pause(self, caller: Caller, webhook_id: int) -> Webhook:
        """Deliveries are made and wait."""
        return self._move(caller, webhook_id, WebhookState.PAUSED, "webhook.pause")

    def disable(self, caller: Caller, webhook_id: int) -> Webhook:
        """No deliveries are made any more; those that wait are cancelled."""
        return self._move(caller, webhook_id, WebhookState.DISABLED, "webhook.disable")

    def activate(self, caller: Caller, webhook_id: int) -> Webhook:
        """Delivers (again): resumed, enabled, or brought back after it was deleted."""
        return self._move(caller, webhook_id, WebhookState.ACTIVE, "webhook.activate")

    def delete(self, caller: Caller, webhook_id: int) -> None:
        """Gone for its application; what waits is cancelled, what was sent stays in the log."""
        self._move(caller, webhook_id, WebhookState.DELETED, "webhook.delete")

    def owner(self, caller: Caller, application_id: str | None) -> str:
        """The application that the caller acts for. Raises NotFound, InvalidInput if nobody."""
        if caller.application_id is None and application_id is None:
            raise InvalidInput(fields={"application": "is required: say which application it is"})
        if caller.application_id not in (None, application_id or caller.application_id):
            raise NotFound(f"There is no application {application_id}.")
        found = application_id or caller.application_id or ""
        return self._subscribers.application(found).id

    # --- inside

    def _get(self, caller: Caller, webhook_id: int) -> Webhook:
        webhook = self._subscribers.webhook(webhook_id, application_id=caller.application_id)
        if webhook.state is WebhookState.DELETED and caller.application_id is not None:
            raise NotFound(f"There is no webhook {webhook_id}.")
        return webhook

    def _guard(self, address: str) -> None:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        refusal = self._look(parts.hostname or "", port)
        if refusal is not None:
            raise InvalidInput(fields={"address": refusal})

    def _key(self, text: str, now: datetime) -> NewKey:
        return NewKey(id=self._ids.new("whk"), value=text.encode(), created_at=now)

    def _rotation(self, caller: Caller, webhook: Webhook, text: str, overlap_s: int) -> Rotation:
        """The new key, and until when the others sign. Raises Conflict if too many still do."""
        now = self._clock.now()
        valid = [key for key in webhook.keys if key.expires_at is None or key.expires_at > now]
        if overlap_s and len(valid) >= MAX_VALID_KEYS:
            raise Conflict(
                f"{len(valid)} keys of webhook {webhook.id} still sign, and each makes the "
                "signature header longer; rotate without overlap, or later."
            )
        return Rotation(
            key=self._key(text, now),
            expire_others_at=now + timedelta(seconds=overlap_s),
            audit=self._audit.entry(
                caller, "webhook.rotate", str(webhook.id), overlap_s=str(overlap_s)
            ),
        )

    def _move(self, caller: Caller, webhook_id: int, to: WebhookState, action: str) -> Webhook:
        caller.require(Scope.WEBHOOKS_WRITE)
        old = self._get(caller, webhook_id)
        if to is WebhookState.ACTIVE and old.state is not to:
            self._guard(old.address)  # before the lock, as in `change`
        with self._changing:
            old = self._get(caller, webhook_id)
            if old.state is to:
                return old
            if to not in _MOVES[old.state]:
                raise Conflict(
                    f"Webhook {old.id} is {old.state}; it cannot become {to} from there."
                )
            new = replace(old, state=to, state_reason=None, state_changed_at=self._clock.now())
            return self._write(caller, old, new, action, None)

    def _write(
        self,
        caller: Caller,
        old: Webhook,
        new: Webhook,
        action: str,
        headers: tuple[tuple[str, str], ...] | None,
        *,
        rotation: Rotation | None = None,
    ) -> Webhook:
        audit = self._audit.entry(
            caller, action, str(old.id), application=old.application_id, topic=old.topic
        )
        new = replace(new, updated_at=max(audit.at, old.updated_at + timedelta(microseconds=1)))
        return self._subscribers.update_webhook(
            new, headers=headers, expected=old.updated_at, audit=audit, rotation=rotation
        )


def _patched(
    old: Webhook, patch: WebhookPatch
) -> tuple[Webhook, tuple[tuple[str, str], ...] | None]:
    """The webhook with the patch's fields, and its headers if they change.

    Raises InvalidInput naming every wrong field, the key's too.
    """
    checked = Checked(old.profile)
    if patch.topic is not None and patch.topic != old.topic:
        checked.add("topic", "cannot be changed; make another webhook for another topic")
    headers = None if patch.headers is None else checked.headers(patch.headers)
    new = replace(
        old,
        address=old.address if patch.address is None else checked.address(patch.address),
        description=old.description
        if patch.description is None
        else checked.description(patch.description),
        document_ids=old.document_ids
        if patch.document_ids is None
        else checked.document_ids(patch.document_ids),
        filters=old.filters if patch.filters is None else checked.filters(patch.filters),
        header_names=old.header_names if headers is None else tuple(name for name, _ in headers),
        rate_per_minute=old.rate_per_minute
        if patch.rate_per_minute is None
        else checked.rate(patch.rate_per_minute),
        max_in_flight=old.max_in_flight
        if patch.max_in_flight is None
        else checked.in_flight(patch.max_in_flight),
    )
    if patch.key is not None:
        checked.key(patch.key)
    checked.close()
    return new, headers
