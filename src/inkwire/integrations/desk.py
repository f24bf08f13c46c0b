"""The desk of integrations: made, changed, started and stopped, each with its audit entry."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.engine.contract import IntegrationKind, Problem, Services
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.ids import Ids
from inkwire.integrations.remembering import remembering
from inkwire.model.access import Caller, Scope
from inkwire.model.order import Order
from inkwire.model.source import SettingValue
from inkwire.model.work import Integration, IntegrationState
from inkwire.providers.settings import check_settings, complete_settings
from inkwire.sources.checks import Findings, name_problem
from inkwire.store.contract import Store

MAX_SOURCES = 20

#: What a person may make of an integration in each state.
_MOVES: Mapping[IntegrationState, frozenset[IntegrationState]] = {
    IntegrationState.ACTIVE: frozenset(IntegrationState),
    IntegrationState.PAUSED: frozenset(IntegrationState),
    IntegrationState.INACTIVE: frozenset({IntegrationState.ACTIVE, IntegrationState.INACTIVE}),
}
_ACTIONS: Mapping[IntegrationState, str] = {
    IntegrationState.ACTIVE: "integration.activate",
    IntegrationState.PAUSED: "integration.pause",
    IntegrationState.INACTIVE: "integration.deactivate",
}
#: Paths of fields for those of a Problem that are no setting.
_PATHS = {
    "connection": "connection_id",
    "second_connection": "second_connection_id",
    "sources": "source_ids",
}
_COMPARED = ("name", "connection_id", "second_connection_id", "source_ids")


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrationDraft:
    """An integration as somebody asks for it, not checked yet."""

    kind: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    connection_id: str | None = None
    #: For a kind between two systems.
    second_connection_id: str | None = None
    source_ids: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrationChange:
    """What is to become of an integration; None leaves a field as it is."""

    name: str | None = None
    #: Laid over the present ones; a key with None goes back to its default.
    settings: Mapping[str, Any] | None = None
    #: An empty text takes the connection away.
    connection_id: str | None = None
    second_connection_id: str | None = None
    source_ids: Sequence[str] | None = None
    #: The `updated_at` that the change starts from; None: whatever stands now.
    expected: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """An integration, and what its kind has to say about its configuration."""

    integration: Integration
    #: Those that block keep it from becoming active; the others are warnings.
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What an integration does about an order that comes into a status."""

    integration: Integration
    #: A sentence.
    tells: str


class IntegrationDesk:
    """Makes, changes and shows integrations. Needs `integrations:read` or `integrations:write`.

    All raise Forbidden without it; those with an id raise NotFound.
    """

    def __init__(
        self,
        *,
        store: Store,
        kinds: Mapping[str, IntegrationKind],
        services: Services,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`services`: what kinds look at when they judge a configuration."""
        self._store = store
        self._kinds = kinds
        self._services = services
        self._clock = clock
        self._audit = Auditor(clock, ids)
        self._changing = threading.Lock()

    def kinds(self, caller: Caller) -> list[IntegrationKind]:
        """Every kind that is installed, by title."""
        caller.require(Scope.INTEGRATIONS_READ)
        return list(self._kinds.values())

    def kind(self, caller: Caller, name: str) -> IntegrationKind:
        """One kind. Raises NotFound, naming those there are."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._kind(name)

    def all(self, caller: Caller) -> list[Integration]:
        """Every integration, by number."""
        caller.require(Scope.INTEGRATIONS_READ)
        return [self._completed(one) for one in self._store.integrations.all()]

    def get(self, caller: Caller, integration_id: int) -> Integration:
        """One integration, its settings complete."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._completed(self._store.integrations.get(integration_id))

    def problems(self, caller: Caller, integration_id: int) -> tuple[Problem, ...]:
        """What is wrong with its configuration, warnings too. Raises NotFound without its kind."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._problems(self._store.integrations.get(integration_id))

    def judged(self, caller: Caller, integration_id: int) -> Judged:
        """One integration and what its kind says of it; of a missing kind that it is not there."""
        caller.require(Scope.INTEGRATIONS_READ)
        found = self._store.integrations.get(integration_id)
        return self._judged(found, remembering(self._services))

    def judged_all(self, caller: Caller) -> list[Judged]:
        """Every integration, judged; what their kinds look at is read once for all of them."""
        caller.require(Scope.INTEGRATIONS_READ)
        services = remembering(self._services)
        return [self._judged(one, services) for one in services.store.integrations.all()]

    def asked(
        self, caller: Caller, order: Order, statuses: Iterable[str]
    ) -> Mapping[str, list[Asked]]:
        """What integrations would do if the order came into each status; needs `orders:read`.

        A status that nobody acts on is left out.
        """
        caller.require(Scope.ORDERS_READ)
        found: dict[str, list[Asked]] = {}
        acting = [one for one in self._store.integrations.all() if one.kind in self._kinds]
        for integration in [one for one in acting if one.state is not IntegrationState.INACTIVE]:
            kind, complete = self._kinds[integration.kind], self._completed(integration)
            for status in statuses:
                moved = replace(order, status=status)
                work = kind.on_order(complete, moved, change_id="asked")
                if work is not None:
                    asked = Asked(integration=integration, tells=work.tells or kind.summary)
                    found.setdefault(status, []).append(asked)
        return found

    def add(self, caller: Caller, draft: IntegrationDraft) -> Judged:
        """Keeps a new integration, inactive. Raises InvalidInput naming every wrong field."""
        caller.require(Scope.INTEGRATIONS_WRITE)
        found, now = Findings(), self._clock.now()
        kind = self._kinds.get(draft.kind)
        if kind is None:
            found.add("name", name_problem(draft.name))
            found.add("kind", self._unknown(draft.kind))
            raise InvalidInput(fields=found.fields)
        integration = Integration(
            id=0,
            kind=kind.name,
            name=draft.name,
            state=IntegrationState.INACTIVE,
            settings=_settings(kind, draft.settings, found),
            connection_id=draft.connection_id or None,
            second_connection_id=draft.second_connection_id or None,
            source_ids=tuple(dict.fromkeys(draft.source_ids)),
            created_at=now,
            updated_at=now,
        )
        self._check(kind, integration, found)
        audit = self._audit.entry(
            caller, "integration.create", "", kind=kind.name, name=integration.name
        )
        made = self._store.integrations.add(integration, audit=audit)
        return Judged(integration=made, problems=self._problems(made))

    def change(self, caller: Caller, integration_id: int, change: IntegrationChange) -> Judged:
        """Changes the given fields; all of them or, if one is wrong, none.

        Raises InvalidInput naming every wrong field (of an active one also what its kind says
        blocks), Conflict if it is no longer as `expected`.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        with self._changing:
            old = self._store.integrations.get(integration_id)
            if change.expected not in (None, old.updated_at):
                raise Conflict(
                    f"Somebody changed {old.label} meanwhile; read it again and decide anew."
                )
            new = self._changed(old, change)
            changed = _differences(old, new)
            problems = self._problems(new)
            if new.state is IntegrationState.ACTIVE:
                _refuse_blocking(problems)
            if not changed:
                return Judged(integration=old, problems=problems)
            new = self._write(
                caller, old, new, "integration.update", changed=", ".join(changed)[:1000]
            )
        return Judged(integration=new, problems=problems)

    def move(self, caller: Caller, integration_id: int, to: IntegrationState) -> Judged:
        """Activates (or resumes), pauses or deactivates.

        Raises InvalidInput naming each field that keeps it from being active, Conflict if that
        state cannot be reached from the present one.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        with self._changing:
            old = self._store.integrations.get(integration_id)
            if to not in _MOVES[old.state]:
                raise Conflict(f"{old.label} is {old.state}; it cannot become {to} from there.")
            problems: tuple[Problem, ...] = ()
            if to is IntegrationState.ACTIVE:
                problems = self._problems(old)
                _refuse_blocking(problems)
            if old.state is to:
                return Judged(integration=self._completed(old), problems=problems)
            new = self._write(caller, old, replace(old, state=to), _ACTIONS[to])
        return Judged(integration=self._completed(new), problems=problems)

    # --- inside

    def _kind(self, name: str) -> IntegrationKind:
        if name not in self._kinds:
            raise NotFound(f"The kind {name!r} {self._unknown(name)}.")
        return self._kinds[name]

    def _unknown(self, name: str) -> str:
        return f"is not installed; there are: {', '.join(self._kinds) or 'none'}"

    def _completed(self, integration: Integration) -> Integration:
        """Its settings complete; those of a kind that is gone as they are."""
        kind = self._kinds.get(integration.kind)
        if kind is None:
            return integration
        settings, _ = complete_settings(kind.settings, integration.settings)
        return replace(integration, settings=settings)

    def _judged(self, integration: Integration, services: Services) -> Judged:
        completed, kind = self._completed(integration), self._kinds.get(integration.kind)
        if kind is None:
            text = f"{integration.kind} {self._unknown(integration.kind)}."
            return Judged(integration=completed, problems=(Problem(field="kind", text=text),))
        return Judged(integration=completed, problems=kind.problems(completed, services))

    def _problems(self, integration: Integration) -> tuple[Problem, ...]:
        kind = self._kind(integration.kind)
        return kind.problems(self._completed(integration), self._services)

    def _changed(self, old: Integration, change: IntegrationChange) -> Integration:
        """The integration with the change made to it. Raises InvalidInput."""
        kind, found = self._kind(old.kind), Findings()
        settings = self._completed(old).settings
        if change.settings is not None:
            settings = _settings(kind, {**settings, **change.settings}, found)
        new = replace(
            old,
            name=old.name if change.name is None else change.name,
            settings=settings,
            connection_id=_kept(old.connection_id, change.connection_id),
            second_connection_id=_kept(old.second_connection_id, change.second_connection_id),
            source_ids=old.source_ids
            if change.source_ids is None
            else tuple(dict.fromkeys(change.source_ids)),
        )
        self._check(kind, new, found)
        return new

    def _check(self, kind: IntegrationKind, integration: Integration, found: Findings) -> None:
        """Raises InvalidInput with all that was found, and what is wrong beside the settings."""
        found.add("name", name_problem(integration.name))
        found.add(
            "connection_id",
            self._connection_problem(kind, kind.provider, integration.connection_id),
        )
        found.add(
            "second_connection_id",
            self._connection_problem(kind, second_provider(kind), integration.second_connection_id),
        )
        found.add("source_ids", self._sources_problem(integration.source_ids))
        found.close()

    def _connection_problem(
        self, kind: IntegrationKind, provider: str, connection_id: str | None
    ) -> str | None:
        if connection_id is None:
            return None
        if not provider:
            nobody = "nobody else" if kind.provider else "nobody"
            return f"must be empty: {kind.title} calls {nobody}"
        try:
            connection = self._store.connections.get(connection_id)
        except NotFound:
            return f"there is no connection {connection_id!r}; make it first"
        if connection.provider != provider:
            return f"must be a connection to {provider}; this one is to {connection.provider}"
        return None

    def _sources_problem(self, source_ids: Sequence[str]) -> str | None:
        if len(source_ids) > MAX_SOURCES:
            return f"must be at most {MAX_SOURCES} sources"
        known = {source.id for source in self._store.sources.all()} if source_ids else set()
        lost = [one for one in source_ids if one not in known]
        return f"there is no source {lost[0]!r}; make it first" if lost else None

    def _write(
        self, caller: Caller, old: Integration, new: Integration, action: str, **detail: str
    ) -> Integration:
        audit = self._audit.entry(caller, action, old.label, kind=old.kind, **detail)
        new = replace(new, updated_at=max(audit.at, old.updated_at + timedelta(microseconds=1)))
        return self._store.integrations.update(new, expected=old.updated_at, audit=audit)


def second_provider(kind: IntegrationKind) -> str:
    """Provider of a kind's second connection; "" for none, and for kinds that say nothing of it."""
    return getattr(kind, "second_provider", "")


def _kept(old: str | None, given: str | None) -> str | None:
    """What becomes of a connection: None leaves it, an empty text takes it away."""
    return old if given is None else given or None


def _settings(
    kind: IntegrationKind, given: Mapping[str, Any], found: Findings
) -> Mapping[str, SettingValue]:
    try:
        return check_settings(kind.settings, given)
    except InvalidInput as error:
        found.fields.update(error.fields)
        return {}


def _refuse_blocking(problems: Sequence[Problem]) -> None:
    """Raises InvalidInput that names each field which keeps an integration from being active."""
    fields: dict[str, str] = {}
    for problem in problems:
        if problem.blocks:
            path = _PATHS.get(problem.field, f"settings.{problem.field}")
            fields[path] = f"{fields[path]} {problem.text}" if path in fields else problem.text
    if fields:
        raise InvalidInput(fields=fields)


def _differences(old: Integration, new: Integration) -> list[str]:
    """Paths of the fields in which the two differ."""
    fields = [key for key in _COMPARED if getattr(old, key) != getattr(new, key)]
    keys = sorted(old.settings.keys() | new.settings.keys())
    return fields + [
        f"settings.{key}" for key in keys if old.settings.get(key) != new.settings.get(key)
    ]
