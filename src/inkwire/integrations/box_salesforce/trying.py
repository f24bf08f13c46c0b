"""What can only be seen by asking Box and Salesforce: is all there that the settings name?

Nothing is made or changed. For `inkwire doctor`, which calls it on the command line's own thread.
"""

from collections.abc import Callable, Iterator

from inkwire.engine.contract import Services
from inkwire.errors import CallFailed, InkwireError
from inkwire.integrations.box_salesforce.field_checks import findings
from inkwire.integrations.box_salesforce.field_trying import described
from inkwire.integrations.box_salesforce.settings import Chosen, chosen
from inkwire.model.work import Integration
from inkwire.providers.box.client import BoxClient
from inkwire.providers.contract import Check
from inkwire.providers.salesforce.client import SalesforceClient
from inkwire.providers.salesforce.soql import select

_OBJECTS = ("Account", "Opportunity")


def live_checks(integration: Integration, services: Services) -> Iterator[Check]:
    """Template, root folder and webhook at Box; stage, status and link field at Salesforce."""
    given = chosen(integration)
    first, second = integration.connection_id, integration.second_connection_id
    if first is not None:
        box = services.connections.box(first)
        yield _tried("template", "Metadata template", lambda: _template(box, given))
        yield _tried("root_folder", "Root folder", lambda: _root(box, integration, given))
        yield _tried("webhook", "Webhook", lambda: _webhook(box, integration, services))
    if second is not None:
        crm = services.connections.salesforce(second)
        if given.executed_stage:
            yield _tried("executed_stage", "Stage when signed", lambda: _stage(crm, given))
        if given.log_activity:
            yield _tried("task_status", "Status of Tasks", lambda: _status(crm, given))
        if given.mapped.lines and first is not None:
            box = services.connections.box(first)
            yield _tried("field_map", "Field map", lambda: _fields(box, crm, given))
        if given.link_field:
            yield _tried("link_field", "Field for the address", lambda: _link(crm, given))


def _tried(name: str, title: str, look: Callable[[], tuple[bool, str]]) -> Check:
    """One look; what the other side says instead is the detail."""
    try:
        ok, detail = look()
    except (CallFailed, InkwireError) as error:
        ok, detail = False, error.message
    return Check(name=name, title=title, ok=ok, detail=detail)


def _template(box: BoxClient, given: Chosen) -> tuple[bool, str]:
    keys = box.metadata_template(given.mapping_template)
    if keys is None:
        return False, (
            f"Box has no metadata template with the key {given.mapping_template}. An admin makes "
            "it: Admin Console → Content → Metadata → New template, with text fields "
            f"{', '.join(given.record_fields)}."
        )
    lacking = [field for field in given.record_fields if field not in keys]
    if len(lacking) == len(given.record_fields):
        return False, (
            f"The template {given.mapping_template} has none of the fields "
            f"{', '.join(given.record_fields)}; add one, or name those that it has: "
            f"{', '.join(keys)}."
        )
    without = f"; without {', '.join(lacking)}, which is no fault" if lacking else ""
    return True, f"{given.mapping_template} with {', '.join(keys)}{without}"


def _root(box: BoxClient, integration: Integration, given: Chosen) -> tuple[bool, str]:
    known = integration.remote.get("folder_id")
    if known is None:
        return True, f"{given.root_folder} is made, or found by its name, once it is active."
    folder = box.folder(known)
    if folder is None or folder.status != "active":
        return False, (
            f"The folder {known} is no longer there, or the connected user was taken out of it. "
            "Bring it back out of the trash; another is made otherwise."
        )
    return True, f"{folder.name} ({folder.id})"


def _webhook(box: BoxClient, integration: Integration, services: Services) -> tuple[bool, str]:
    known = integration.remote.get("webhook_id")
    if known is None:
        return True, "It is made once the integration is active."
    webhook = box.webhook(known)
    if webhook is None:
        return False, (
            f"Box has no webhook {known} any more. It is made anew within the hour, or at once: "
            f"inkwire runs upkeep {integration.label} keep_webhook"
        )
    if not webhook.address.startswith(services.base_url):
        return False, (
            f"It delivers to {webhook.address}, and this hub is {services.base_url}: correct "
            "INKWIRE_PUBLIC_URL, or the webhook in Box's Developer Console."
        )
    return True, f"{webhook.id}, to {webhook.address}"


def _stage(crm: SalesforceClient, given: Chosen) -> tuple[bool, str]:
    rows = crm.query(select("OpportunityStage", ["MasterLabel", "ApiName", "IsActive"]), most=200)
    active = [row for row in rows if row.get("IsActive")]
    names = {str(row[key]).casefold() for row in active for key in ("MasterLabel", "ApiName")}
    return _among(given.executed_stage, names, [str(row["MasterLabel"]) for row in active])


def _status(crm: SalesforceClient, given: Chosen) -> tuple[bool, str]:
    rows = crm.query(select("TaskStatus", ["MasterLabel"]), most=200)
    labels = [str(row["MasterLabel"]) for row in rows]
    return _among(given.task_status, {one.casefold() for one in labels}, labels)


def _among(wanted: str, names: set[str], shown: list[str]) -> tuple[bool, str]:
    if wanted.casefold() in names:
        return True, f"“{wanted}” is one of {len(shown)}"
    return False, f"The organisation has no “{wanted}”; choose one of: {', '.join(shown)}."


def _fields(box: BoxClient, crm: SalesforceClient, given: Chosen) -> tuple[bool, str]:
    """Every line of the map: both fields are there, and the written one may be written."""
    facts = described(box, crm, given.mapping_template, given.mapped.objects)
    if (lacking := facts.box_problem or facts.problem_of("")) or any(facts.object_problems):
        return False, lacking or " ".join(facts.object_problems.values())
    found = [one for rule in given.mapped.lines for one in findings(rule, facts)]
    wrong = [one.text for one in found if one.fails]
    if wrong:
        return False, " ".join(wrong)
    some = "".join(f"; {one.text}" for one in found)
    return True, f"{len(given.mapped.lines)} fields are there on both sides{some}"


def _link(crm: SalesforceClient, given: Chosen) -> tuple[bool, str]:
    """One of the two objects is enough: the other then gets no address."""
    able = []
    for name in _OBJECTS:
        described = crm.describe(name)
        field = described.fields.get(given.link_field) if described is not None else None
        if field is not None and field.updateable:
            able.append(name)
    if able:
        return True, f"{given.link_field} of {' and '.join(able)} can be written"
    return False, (
        f"Neither Account nor Opportunity has a field {given.link_field} that the connected user "
        "may edit: make it (Object Manager → Fields & Relationships), and tick it under "
        "Field-Level Security."
    )
