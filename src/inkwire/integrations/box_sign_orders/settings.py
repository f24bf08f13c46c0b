"""The settings of the integration "Box Sign orders" (R1–R36), and what can be wrong with them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from inkwire.engine.contract import Problem, Services
from inkwire.integrations.checks import connection_problems, folder_problem, source_problems
from inkwire.model.order import Order
from inkwire.model.work import Integration, IntegrationState
from inkwire.providers.contract import SettingField, SettingKind
from inkwire.providers.settings import list_of, mapping_of

#: Box's limit of files in one sign request.
MAX_FILES = 10
#: What a prefill line may take its text from.
_PLACES = re.compile(
    r"order\.number|(?:customer|company)\.(?:name|email|phone|address|city|country)"
    r"|fields\.[A-Za-z0-9_-]{1,64}"
)
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,100}")

FIELDS = (
    SettingField(
        key="trigger_status",
        label="Trigger status",
        help="An order that comes into this status is sent for signature.",
        kind=SettingKind.TEXT,
        default="request_signature",
    ),
    SettingField(
        key="templates",
        label="Templates",
        help="Ids of the templates whose PDFs are to be signed, at most 10; none: nothing is sent.",
        kind=SettingKind.LIST,
        default="",
        example="tpl_0000000000000000000000a1",
    ),
    SettingField(
        key="order_field",
        label="Order field",
        help="Field of the order that takes the sign request's id; needed for the way back.",
        kind=SettingKind.TEXT,
        default="",
        example="sign_request_id",
    ),
    SettingField(
        key="folder_name",
        label="Folder",
        help="Folder in Box that the PDFs go to; made if it is missing.",
        kind=SettingKind.TEXT,
        default="Inkwire orders",
    ),
    SettingField(
        key="final_copy_email",
        label="Final copy to",
        help="Somebody who gets the signed documents by mail, beside the customer.",
        kind=SettingKind.EMAIL,
        default="",
    ),
    SettingField(
        key="prefill",
        label="Prefill",
        help="One line for each tag of the PDF: TAG = customer.name. Known are order.number, "
        "customer.* and company.* (name, email, phone, address, city, country), fields.NAME.",
        kind=SettingKind.MAPPING,
        default="",
        example="full_name = customer.name",
    ),
    SettingField(
        key="days_valid",
        label="Days valid",
        help="Days until Box expires the request; 0: never, and then no order ever expires.",
        kind=SettingKind.INTEGER,
        default=30,
        minimum=0,
        maximum=730,
    ),
    SettingField(
        key="redirect_url",
        label="Page after signing",
        help="Where the customer lands after signing.",
        kind=SettingKind.URL,
        default="",
    ),
    SettingField(
        key="declined_redirect_url",
        label="Page after declining",
        help="Where the customer lands after declining.",
        kind=SettingKind.URL,
        default="",
    ),
    SettingField(
        key="email_subject",
        label="Subject of the mail",
        help="Empty: Box's own.",
        kind=SettingKind.TEXT,
        default="",
    ),
    SettingField(
        key="email_message",
        label="Text of the mail",
        help="Empty: Box's own.",
        kind=SettingKind.TEXT,
        default="",
    ),
    SettingField(
        key="reminders",
        label="Reminders",
        help="Box reminds the customer after 3, 8, 13 and 18 days.",
        kind=SettingKind.SWITCH,
        default=True,
    ),
    SettingField(
        key="signed_status",
        label="Status when signed",
        help="Status of the order once everybody signed.",
        kind=SettingKind.TEXT,
        default="signed",
    ),
    SettingField(
        key="declined_status",
        label="Status when declined",
        help="Status of the order once a signer declined.",
        kind=SettingKind.TEXT,
        default="declined",
    ),
    SettingField(
        key="expired_status",
        label="Status when expired",
        help="Status of the order once the request ran out of time.",
        kind=SettingKind.TEXT,
        default="expired",
    ),
    SettingField(
        key="stopped_status",
        label="Status when cancelled or failed",
        help="Status of the order if the request was cancelled or Box could not finish it. "
        "Empty: the order stays, and its timeline asks for attention.",
        kind=SettingKind.TEXT,
        default="",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """An integration's settings, typed."""

    trigger_status: str
    templates: tuple[str, ...]
    order_field: str
    folder_name: str
    final_copy_email: str
    prefill: Mapping[str, str]
    days_valid: int
    redirect_url: str
    declined_redirect_url: str
    email_subject: str
    email_message: str
    reminders: bool
    signed_status: str
    declined_status: str
    expired_status: str
    stopped_status: str


def chosen(integration: Integration) -> Chosen:
    """The settings of an integration; a missing one has its default."""
    given = {field.key: integration.settings.get(field.key, field.default) for field in FIELDS}
    given["templates"] = list_of(str(given["templates"]))  # type: ignore[assignment]
    given["prefill"] = mapping_of(str(given["prefill"]))  # type: ignore[assignment]
    return Chosen(**given)  # type: ignore[arg-type] # each is checked by its field's kind


def prefilled(order: Order, prefill: Mapping[str, str]) -> dict[str, str]:
    """Text of each tag; tags without a text are left out, so that the customer fills them."""
    found = {}
    for tag, place in prefill.items():
        head, _, name = place.partition(".")
        if head == "order":
            text = order.number
        elif head == "fields":
            text = order.fields.get(name, "")
        else:
            text = str(getattr(order.customer if head == "customer" else order.company, name, ""))
        if text:
            found[tag] = text
    return found


def problems(integration: Integration, services: Services) -> tuple[Problem, ...]:
    """What is wrong, with the way out; warnings do not block."""
    given = chosen(integration)
    return (
        *_statuses(given, services),
        *_texts(given),
        *_templates(given, services),
        *connection_problems(
            services, integration.connection_id, field="connection", provider="box", title="Box"
        ),
        *source_problems(integration, services),
        *_neighbours(integration, given, services),
    )


def _statuses(given: Chosen, services: Services) -> list[Problem]:
    known = {status.code for status in services.orders.statuses()}
    found = []
    for key in ("trigger", "signed", "declined", "expired", "stopped"):
        code = getattr(given, f"{key}_status")
        if code not in known and not (key == "stopped" and not code):
            text = f"There is no status {code!r}; choose one of: {', '.join(sorted(known))}."
            found.append(Problem(field=f"{key}_status", text=text))
    targets = (given.signed_status, given.declined_status, given.expired_status)
    if given.trigger_status in (*targets, given.stopped_status):
        text = "The trigger status is also a target; an order would be sent again and again."
        found.append(Problem(field="trigger_status", text=text))
    return found


def _texts(given: Chosen) -> list[Problem]:
    found = []
    if not given.order_field:
        text = "Name the field of the order that takes the sign request's id."
        found.append(Problem(field="order_field", text=text))
    elif not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given.order_field):
        text = "A field's name has letters, digits, _ and -, at most 64."
        found.append(Problem(field="order_field", text=text))
    if (wrong := folder_problem(given.folder_name)) is not None:
        found.append(Problem(field="folder_name", text=wrong))
    for tag, place in given.prefill.items():
        if not _TAG.fullmatch(tag) or not _PLACES.fullmatch(place):
            text = f"{tag} = {place} is not understood; write TAG = customer.name, for example."
            found.append(Problem(field="prefill", text=text))
    if given.days_valid == 0:
        text = "Requests never expire, so no order ever gets the expired status."
        found.append(Problem(field="days_valid", text=text, blocks=False))
    return found


def _templates(given: Chosen, services: Services) -> list[Problem]:
    if not given.templates:
        text = "No template is chosen: orders reach the trigger status and nothing is sent."
        return [Problem(field="templates", text=text, blocks=False)]
    known = {template.id for template in services.store.templates.all()}
    found = [
        Problem(field="templates", text=f"There is no template {one}; choose another.")
        for one in given.templates
        if one not in known
    ]
    if len(given.templates) > MAX_FILES:
        text = f"Box takes at most {MAX_FILES} files in one request; choose fewer templates."
        found.append(Problem(field="templates", text=text))
    return found


def _neighbours(integration: Integration, given: Chosen, services: Services) -> list[Problem]:
    others = [
        other.label
        for other in services.store.integrations.all()
        if other.kind == integration.kind
        and other.id != integration.id
        and other.state is IntegrationState.ACTIVE
        and chosen(other).trigger_status == given.trigger_status
    ]
    if not others:
        return []
    text = f"{', '.join(others)} has the same trigger status: the customer gets a mail from each."
    return [Problem(field="trigger_status", text=text, blocks=False)]
