"""Orders by form: a new one, and changes of one."""

from collections.abc import Mapping

from starlette.responses import Response

from inkwire.console import order_forms as forms
from inkwire.errors import Conflict, InvalidInput
from inkwire.model.access import Scope
from inkwire.model.order import Order, Party
from inkwire.pages.inputs import whole
from inkwire.pages.views import FormField
from inkwire.pages.visit import Page, Visit

NOTHING: Mapping[str, str] = {}


def new(visit: Visit) -> Response:
    """GET /new-order."""
    return _page(visit, None, {"currency": "EUR"})


def create(visit: Visit) -> Response:
    """POST /new-order; with `more` only another row is added to the form."""
    values = forms.typed(visit.form)
    if values.get("more"):
        return _page(visit, None, values)
    draft = forms.draft_of(values, blocks=True)
    try:
        _require_none(draft.wrong)
        order = visit.parts.orders.add(visit.caller, draft.members)
    except InvalidInput as error:
        return _page(visit, None, values, errors=draft.errors(error.fields), status=422)
    except Conflict as error:
        return _page(visit, None, values, errors={"number": error.message}, status=409)
    return visit.see(visit.url("orders", order.id), said="order_made")


def edit(visit: Visit) -> Response:
    """GET /orders/{id}/edit."""
    order = visit.parts.orders.get(visit.caller, visit.path["order_id"])
    return _page(visit, order, forms.values_of(order) | {"version": str(order.version)})


def save(visit: Visit) -> Response:
    """POST /orders/{id}/edit."""
    order = visit.parts.orders.get(visit.caller, visit.path["order_id"])
    values = forms.typed(visit.form)
    if values.get("more"):
        return _page(visit, order, values)
    draft = forms.draft_of(values, blocks="has_lines" in values)
    try:
        _require_none(draft.wrong)
        members = draft.members | {"version": whole(values.get("version", ""))}
        changed = visit.parts.orders.change(visit.caller, order.id, members)
    except InvalidInput as error:
        return _page(visit, order, values, errors=draft.errors(error.fields), status=422)
    except Conflict as error:
        if error.code != "order_changed":
            return _page(visit, order, values, errors={"number": error.message}, status=409)
        # The next try overwrites what stands there now: the page has said so.
        current = {"version": str(order.version)}
        return _page(visit, order, values | current, outdated=True, status=409)
    said = "order_same" if changed.version == order.version else "order_saved"
    return visit.see(visit.url("orders", order.id), said=said)


def _require_none(wrong: Mapping[str, str]) -> None:
    if wrong:
        raise InvalidInput(fields={})


def _page(
    visit: Visit,
    order: Order | None,
    values: Mapping[str, str],
    *,
    errors: Mapping[str, str] = NOTHING,
    outdated: bool = False,
    status: int = 200,
) -> Response:
    more = values.get("more", "")
    lined = order is None or forms.has_lines(order)
    return visit.render(
        "order_form.html",
        status=status,
        order=order,
        values=values,
        errors=errors,
        first=_first(values, errors),
        customer=forms.party_inputs("customer", values, errors),
        company=forms.party_inputs("company", values, errors),
        company_open=any(value for key, value in values.items() if key.startswith("company.")),
        blocks=forms.block_inputs(values, errors, more=more) if lined else [],
        lined=lined,
        fields=forms.field_inputs(values, errors, more=more),
        outdated=outdated,
        begins=_begins(visit) if order is None else None,
    )


def _first(values: Mapping[str, str], errors: Mapping[str, str]) -> list[FormField]:
    return [
        FormField(
            name="number",
            label="Number",
            help="Your own number of the order; no two orders have the same.",
            value=values.get("number", ""),
            example="2026-1042",
            required=True,
            error=errors.get("number", ""),
        ),
        FormField(
            name="currency",
            label="Currency",
            help="Three letters, as ISO 4217 has them.",
            value=values.get("currency", ""),
            example="EUR",
            required=True,
            error=errors.get("currency", ""),
        ),
    ]


def _begins(visit: Visit) -> tuple[str, list[str]]:
    """Name of the status that a new order begins in, and the integrations that act on it."""
    first, now = visit.parts.orders.statuses()[0], visit.now
    empty = Order(
        id="",
        number="",
        status=first.code,
        customer=Party(),
        created_at=now,
        updated_at=now,
        status_at=now,
    )
    asked = visit.parts.integrations.asked(visit.caller, empty, [first.code]).get(first.code, [])
    return first.name, [f"{one.integration.name} ({one.integration.label})" for one in asked]


PAGES = (
    Page(path="/new-order", handler=new, scope=Scope.ORDERS_WRITE),
    Page(path="/new-order", handler=create, method="POST", scope=Scope.ORDERS_WRITE),
    Page(path="/orders/{order_id}/edit", handler=edit, scope=Scope.ORDERS_WRITE),
    Page(path="/orders/{order_id}/edit", handler=save, method="POST", scope=Scope.ORDERS_WRITE),
)
