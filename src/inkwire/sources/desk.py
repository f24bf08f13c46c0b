"""The desk where sources are made and changed: who may do what, secrets, and the audit entry."""

import hmac
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.source import SOURCE_ID, ManagedBy, Secret, SecretInfo, Source, SourceActivity
from inkwire.providers import registry as providers
from inkwire.providers.contract import SecretField
from inkwire.providers.registry import Registry
from inkwire.sources import checks
from inkwire.sources.drafting import SourceChange, SourceDraft, differences, drawn, redrawn
from inkwire.store.contract import NewSecret, Store

__all__ = ["FILE", "SourceChange", "SourceDesk", "SourceDraft"]

#: The apply of `inkwire.toml`: the only caller that may change what the file declares.
FILE = Caller(actor="file", scopes=frozenset({Scope.SOURCES_READ, Scope.SOURCES_WRITE}))
#: Secrets of one role that may be valid at a time: each is tried for every request.
MAX_VALID_SECRETS = 8


class SourceDesk:
    """Makes, changes and shows sources. Every method needs `sources:read` or `sources:write`.

    All raise Forbidden without it; those with an id raise NotFound. What `inkwire.toml` declares
    is changed there: other callers get Conflict.
    """

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        clock: Clock,
        ids: Ids,
        base_url: str,
        max_body_bytes: int,
    ) -> None:
        """`base_url`: how providers reach the hub; `max_body_bytes`: most that a body may have."""
        self._store = store
        self._registry = registry
        self._clock = clock
        self._ids = ids
        self._audit = Auditor(clock, ids)
        self._base_url = base_url.rstrip("/")
        self._largest = max_body_bytes
        self._changing = threading.Lock()

    def all(self, caller: Caller) -> list[Source]:
        """Every source, by id."""
        caller.require(Scope.SOURCES_READ)
        return self._store.sources.all()

    def get(self, caller: Caller, source_id: str) -> Source:
        """One source."""
        caller.require(Scope.SOURCES_READ)
        return self._get(source_id)

    def activity(self, caller: Caller) -> Mapping[str, SourceActivity]:
        """When each source was last heard of, by source id."""
        caller.require(Scope.SOURCES_READ)
        return self._store.sources.activity(self._clock.now())

    def url(self, source_id: str) -> str:
        """Where the provider sends its webhooks."""
        return f"{self._base_url}/in/{source_id}"

    def manual(self, source: Source) -> str:
        """How to connect this source in the vendor's console, Markdown."""
        text = providers.manual(self._registry.get(source.provider))
        return text.replace("{url}", self.url(source.id)).replace("{source}", source.id)

    def check(self, draft: SourceDraft) -> Source:
        """The source that `draft` would give. Raises InvalidInput naming every wrong field."""
        now = self._clock.now()
        return drawn(draft, self._registry, largest=self._largest, now=now)

    def create(self, caller: Caller, draft: SourceDraft) -> tuple[Source, Mapping[str, str]]:
        """Adds a source; the second value holds the secrets that were made up, shown this once.

        Raises InvalidInput naming every wrong field, and Conflict if the id is taken.
        """
        caller.require(Scope.SOURCES_WRITE)
        if draft.managed_by is ManagedBy.FILE:
            _only_the_file(caller)
        source = self.check(draft)
        generated = {
            item.role: checks.generate_secret(item)
            for item in self._registry.receiver(draft.provider).secrets
            if item.generate and item.required and item.role not in draft.secrets
        }
        given = {**draft.secrets, **generated}
        kept = [self._new_secret(role, value) for role, value in given.items()]
        detail = {"provider": source.provider, "name": source.name}
        audit = self._audit.entry(caller, "source.create", source.id, **detail)
        self._store.sources.create(source, kept, audit=audit)
        return self._store.sources.get(source.id), generated

    def update(self, caller: Caller, source_id: str, change: SourceChange) -> Source:
        """Changes the given fields. Raises InvalidInput naming every wrong one.

        Raises Conflict if another process changed the source between our read and our write.
        """
        if change.managed_by is not None:
            _only_the_file(caller)
        return self._update(caller, source_id, change, "source.update")

    def pause(self, caller: Caller, source_id: str) -> Source:
        """Stops dispatch: requests are still proven, stored and answered."""
        return self._update(caller, source_id, SourceChange(paused=True), "source.pause")

    def resume(self, caller: Caller, source_id: str) -> Source:
        """Dispatches again, first what came meanwhile."""
        return self._update(caller, source_id, SourceChange(paused=False), "source.resume")

    def undeclare(self, caller: Caller, source_id: str) -> Source:
        """Hands a source that left `inkwire.toml` to the console, paused: nothing is lost."""
        change = SourceChange(paused=True, managed_by=ManagedBy.CONSOLE)
        _only_the_file(caller)
        return self._update(caller, source_id, change, "source.undeclare")

    def delete(self, caller: Caller, source_id: str) -> None:
        """Removes the source and its secrets; receipts and events stay."""
        source = self._mine(caller, source_id)
        detail = {"provider": source.provider, "name": source.name}
        audit = self._audit.entry(caller, "source.delete", source_id, **detail)
        self._store.sources.delete(source_id, audit=audit)

    def rotate(
        self, caller: Caller, source_id: str, *, role: str, value: str | None, overlap_s: int
    ) -> tuple[SecretInfo, str | None]:
        """Adds a secret; the others of its role end in `overlap_s` seconds (0 to 30 days).

        `value` None: one is made up, where the provider lets the receiver choose, and returned
        this once. Raises InvalidInput naming every wrong field, and Conflict if too many of the
        role are still valid.
        """
        with self._changing:
            source = self._mine(caller, source_id)
            described = self._described(source, role)
            made_up = value is None and described.generate
            text = checks.generate_secret(described) if made_up else value or ""
            found = checks.Findings()
            found.add("overlap_s", checks.overlap_problem(overlap_s))
            found.add("value", checks.secret_problem(described, text))
            found.close()
            self._refuse_many(source, role, overlap_s)
            secret = self._new_secret(role, text)
            audit = self._audit.entry(
                caller, "source.rotate", source_id, role=role, overlap_s=str(overlap_s)
            )
            self._store.sources.add_secret(
                source_id,
                secret,
                expire_others_at=secret.created_at + timedelta(seconds=overlap_s),
                audit=audit,
            )
        info = SecretInfo(id=secret.id, role=role, created_at=secret.created_at, expires_at=None)
        return info, text if made_up else None

    def remove_secret(self, caller: Caller, source_id: str, secret_id: str) -> None:
        """Ends a secret at once. Raises Conflict if the source could prove nobody without it."""
        with self._changing:
            source = self._mine(caller, source_id)
            secret = next((item for item in source.secrets if item.id == secret_id), None)
            if secret is None:
                raise NotFound(f"The source {source_id} has no secret {secret_id}.")
            others = (item for item in source.secrets if item.role == secret.role)
            left = any(item != secret and item.expires_at is None for item in others)
            if not left and self._described(source, secret.role).required:
                raise Conflict(
                    f"This is the last {secret.role} secret of {source_id} that does not end by "
                    "itself: without it every request is refused, at once or when the overlap "
                    "ends. Rotate it with an overlap of 0 seconds instead."
                )
            detail = {"role": secret.role, "secret": secret_id}
            audit = self._audit.entry(caller, "source.remove_secret", source_id, **detail)
            self._store.sources.remove_secret(source_id, secret_id, audit=audit)

    def holds(
        self, caller: Caller, given: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, set[str]]:
        """Roles whose current secret is the one given, by source id; compared in constant time."""
        caller.require(Scope.SOURCES_WRITE)
        opened = self._store.sources.open_secrets(self._clock.now())
        return {
            source_id: _same(opened.get(source_id, ()), secrets)
            for source_id, secrets in given.items()
        }

    def _get(self, source_id: str) -> Source:
        if not SOURCE_ID.fullmatch(source_id):
            raise NotFound("There is no source of that id.")
        return self._store.sources.get(source_id)

    def _mine(self, caller: Caller, source_id: str) -> Source:
        caller.require(Scope.SOURCES_WRITE)
        source = self._get(source_id)
        if source.managed_by is ManagedBy.FILE and caller != FILE:
            raise Conflict(
                f"The source {source_id} is declared in inkwire.toml: change it there, then run "
                "`inkwire apply`."
            )
        return source

    def _update(self, caller: Caller, source_id: str, change: SourceChange, action: str) -> Source:
        with self._changing:
            old = self._mine(caller, source_id)
            new = redrawn(old, change, self._registry, largest=self._largest)
            changed = differences(old, new)
            if not changed:
                return old
            new = replace(new, updated_at=self._clock.now())
            audit = self._audit.entry(caller, action, source_id, changed=", ".join(changed))
            self._store.sources.update(new, audit=audit, expected=old.updated_at)
            return new

    def _described(self, source: Source, role: str) -> SecretField:
        known = {item.role: item for item in self._registry.receiver(source.provider).secrets}
        if role not in known:
            raise InvalidInput(fields={"role": checks.unknown_role(known)})
        return known[role]

    def _valid(self, source: Source, role: str) -> list[SecretInfo]:
        now = self._clock.now()
        return [
            item
            for item in source.secrets
            if item.role == role and (item.expires_at is None or item.expires_at > now)
        ]

    def _refuse_many(self, source: Source, role: str, overlap_s: int) -> None:
        if overlap_s and len(self._valid(source, role)) >= MAX_VALID_SECRETS:
            raise Conflict(
                f"{MAX_VALID_SECRETS} {role} secrets of {source.id} are still valid; remove one "
                "that is no longer used, or rotate with an overlap of 0 seconds."
            )

    def _new_secret(self, role: str, value: str) -> NewSecret:
        return NewSecret(
            id=self._ids.new("sec"),
            role=role,
            value=value.encode("utf-8"),
            created_at=self._clock.now(),
        )


def _only_the_file(caller: Caller) -> None:
    if caller != FILE:
        raise Conflict("What inkwire.toml manages is decided by the file alone.")


def _same(opened: Sequence[Secret], given: Mapping[str, str]) -> set[str]:
    """Roles of `given` whose current secret has that value; `opened`: newest first."""
    current = {item.role: item.value for item in reversed(opened) if item.expires_at is None}
    return {
        role
        for role, value in given.items()
        if role in current and hmac.compare_digest(current[role], value.encode("utf-8"))
    }
