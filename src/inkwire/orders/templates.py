"""The desk of templates: Typst with the order's data, versioned, previewed, rendered."""

import re
import threading
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import msgspec

from inkwire.apart import ApartFailed, ApartStopped, apart
from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.errors import Conflict, InvalidInput, Permanent, RateLimited, Transient
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.order import Order, Template, TemplateVersion
from inkwire.orders.data import template_data
from inkwire.orders.drafts import Findings
from inkwire.orders.sample import SAMPLE
from inkwire.orders.texts import text_problem
from inkwire.store.contract import Store

MAX_NAME = 100
#: Characters.
MAX_SOURCE = 200_000
#: Seconds that one template may take; the usual is a fifth of one, most of it the start.
TIMEOUT_S = 10.0
#: Documents that one process makes at a time; each may take a core and a GiB.
_AT_A_TIME = 2
#: Seconds that a document waits for its turn.
_PATIENCE_S = 30.0
#: Previews at a time, made or waiting: each holds a thread of the API and the console.
_PREVIEWS = 8
DEFAULT_NAME = "Order confirmation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """A PDF and what it was made from."""

    template: Template
    version: int
    pdf: bytes = field(repr=False)


@cache
def default_source() -> str:
    """The source of the template "Order confirmation", to begin with."""
    folder = resources.files("inkwire.orders") / "templates_default"
    return (folder / "order_confirmation.typ").read_text("utf-8")


class TemplateDesk:
    """Templates and the PDFs that they give."""

    def __init__(
        self, *, store: Store, clock: Clock, ids: Ids, timeout_s: float = TIMEOUT_S
    ) -> None:
        """`timeout_s`: seconds that one document may take."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._timeout_s = timeout_s
        self._audit = Auditor(clock, ids)
        self._turns = threading.BoundedSemaphore(_AT_A_TIME)
        self._previews = threading.BoundedSemaphore(_PREVIEWS)

    def all(self, caller: Caller) -> list[Template]:
        """Every template, by name. Needs `orders:read`."""
        caller.require(Scope.ORDERS_READ)
        return self._store.templates.all()

    def get(self, caller: Caller, template_id: str) -> Template:
        """One template. Raises NotFound."""
        caller.require(Scope.ORDERS_READ)
        return self._store.templates.get(template_id)

    def source(
        self, caller: Caller, template_id: str, version: int | None = None
    ) -> TemplateVersion:
        """A version, the newest for None. Raises NotFound."""
        caller.require(Scope.ORDERS_READ)
        return self._store.templates.version(template_id, version)

    def versions(self, caller: Caller, template_id: str) -> list[TemplateVersion]:
        """Newest first, at most 200. Raises NotFound."""
        caller.require(Scope.ORDERS_READ)
        self._store.templates.get(template_id)
        return self._store.templates.versions(template_id)

    def add(self, caller: Caller, *, name: str, source: str) -> Template:
        """Compiles with the sample order and keeps version 1. Needs `integrations:write`.

        Raises InvalidInput with line and column of each error.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        now = self._clock.now()
        made = Template(
            id=self._ids.new("tpl"), name=name, version=1, created_at=now, updated_at=now
        )
        self._check(name, source)
        return self._save(caller, made, source, "template.create")

    def change(
        self, caller: Caller, template_id: str, *, name: str | None, source: str, expected: int
    ) -> Template:
        """Keeps the next version after `expected`. Raises as `add`, NotFound, Conflict."""
        caller.require(Scope.INTEGRATIONS_WRITE)
        old = self._store.templates.get(template_id)
        if old.version != expected:
            raise _changed(old.version, expected)
        new = Template(
            id=old.id,
            name=old.name if name is None else name,
            version=expected + 1,
            created_at=old.created_at,
            updated_at=self._clock.now(),
        )
        self._check(new.name, source)
        return self._save(caller, new, source, "template.update")

    def delete(self, caller: Caller, template_id: str) -> None:
        """Removes it. Raises NotFound, Conflict while an integration uses it."""
        caller.require(Scope.INTEGRATIONS_WRITE)
        template = self._store.templates.get(template_id)
        for integration in self._store.integrations.all():
            if template_id in named(integration.settings.get("templates")):
                raise Conflict(
                    f"The integration {integration.label} ({integration.name}) uses the template "
                    f"{template.name}; take it out of its settings first.",
                    code="template_used",
                )
        audit = self._audit.entry(caller, "template.delete", template_id, name=template.name)
        self._store.templates.delete(template_id, audit=audit)

    def preview(self, source: str, order: Order | None = None) -> bytes:
        """The PDF with that order, or the sample. Raises InvalidInput with line and column.

        Raises RateLimited if too many documents are being made.
        """
        _check_source(source)
        if not self._previews.acquire(blocking=False):
            raise _busy()
        try:
            return self._pdf(source, order or SAMPLE)
        except ApartFailed as error:
            raise InvalidInput(fields={"source": error.message}) from None
        finally:
            self._previews.release()

    def render(self, template_id: str, order: Order) -> Rendered:
        """The newest version with the order's data; the same data gives the same bytes.

        Raises Permanent that names template, line and column; Transient while too many documents
        are being made; NotFound.
        """
        template = self._store.templates.get(template_id)
        kept = self._store.templates.version(template_id)
        try:
            pdf = self._pdf(kept.source, order)
        except ApartFailed as error:
            raise Permanent(
                f"The template {template.name} ({template.id}, version {kept.version}) gives no "
                f"PDF for order {order.number}: {error.message.rstrip('.')}. Correct the template "
                "or the order, then retry."
            ) from None
        except RateLimited as error:
            raise Transient(error.message, retry_after_s=error.retry_after_s) from None
        except ApartStopped as error:
            raise Transient(error.message) from None
        return Rendered(template=template, version=kept.version, pdf=pdf)

    # --- inside

    def _check(self, name: str, source: str) -> None:
        found = Findings()
        found.add("name", text_problem(name, MAX_NAME, least=1))
        found.close()
        self.preview(source)

    def _save(self, caller: Caller, template: Template, source: str, action: str) -> Template:
        detail = {"name": template.name, "version": str(template.version)}
        audit = self._audit.entry(caller, action, template.id, **detail)
        self._store.templates.save(template, source, by=caller.actor, audit=audit)
        return template

    def _pdf(self, source: str, order: Order) -> bytes:
        """Raises ApartFailed with what hinders it, RateLimited."""
        asked = {
            "source": source,
            "order": template_data(order),
            "timestamp": int(order.status_at.timestamp()),
        }
        if not self._turns.acquire(timeout=_PATIENCE_S):
            raise _busy()
        try:
            return apart(
                "inkwire.orders.typst_apart",
                msgspec.json.encode(asked),
                timeout_s=self._timeout_s,
                what="The template",
            )
        finally:
            self._turns.release()


def _busy() -> RateLimited:
    return RateLimited(
        "Too many documents are being made just now; try again in a moment.", retry_after_s=5
    )


def named(setting: object) -> list[str]:
    """The template ids in an integration's setting `templates`: parted by commas or blanks."""
    return (
        [text for text in re.split(r"[\s,]+", setting) if text] if isinstance(setting, str) else []
    )


def _check_source(source: str) -> None:
    found = Findings()
    if not source.strip():
        found.add("source", "must not be empty")
    elif len(source) > MAX_SOURCE:
        found.add("source", f"must be at most {MAX_SOURCE} characters; this has {len(source)}")
    elif any(c in source for c in "\x00\ufeff") or not _encodable(source):
        found.add("source", "must be UTF-8 text without NUL and without a byte order mark")
    found.close()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _changed(now: int, expected: int) -> Conflict:
    return Conflict(
        f"The template is at version {now} by now, not {expected}; read it again and decide anew.",
        code="template_changed",
    )
