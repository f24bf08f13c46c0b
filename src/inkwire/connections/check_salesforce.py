"""What a Salesforce connection must be able to do: who we are, the API, and each object's rights.

Rights to write are read off `describe`, which speaks for the connected user: nothing is made.
"""

from inkwire.connections.check import Probe, Renew, token_probe
from inkwire.errors import NeedsAttention
from inkwire.providers.salesforce.client import SalesforceClient
from inkwire.providers.salesforce.objects import Described
from inkwire.providers.salesforce.soql import select

_APP = "the External Client App, under Settings → OAuth Settings → Selected OAuth Scopes"
_RIGHTS = "a permission set of the connected user (Setup → Permission Sets"


def salesforce_probes(renew: Renew, client: SalesforceClient) -> tuple[Probe, ...]:
    """One probe for each right that keeping Box and Salesforce in step needs."""
    return (
        token_probe(renew),
        Probe(
            name="user",
            title="Connected user",
            try_it=lambda: _user(client),
            mend=f"Tick “Access the identity URL service (id, profile, email, address, phone)” in "
            f"{_APP}.",
        ),
        Probe(
            name="api",
            title="API and daily calls",
            try_it=lambda: _api(client),
            mend=f"Tick “API Enabled” in {_RIGHTS} → System Permissions), and “Manage user data "
            f"via APIs (api)” in {_APP}.",
        ),
        Probe(
            name="accounts",
            title="Accounts",
            try_it=lambda: _reads(client, "Account"),
            mend=_tick("Read", "Accounts"),
        ),
        Probe(
            name="opportunities",
            title="Opportunities",
            try_it=lambda: _opportunities(client),
            mend=_tick("Read and Edit", "Opportunities"),
        ),
        Probe(
            name="files",
            title="Files",
            try_it=lambda: _creates(client, "ContentVersion", "PathOnClient"),
            mend="Let the user have files: Setup → Salesforce Files → General Settings, and a "
            "licence that includes Salesforce CRM or Platform.",
        ),
        Probe(
            name="tasks",
            title="Tasks",
            try_it=lambda: _creates(client, "Task", "Subject"),
            mend=f"Tick “Edit Tasks” in {_RIGHTS} → App Permissions), and “Access Activities”.",
        ),
        Probe(
            name="stages",
            title="Stages of opportunities",
            try_it=lambda: _stages(client),
            mend=_tick("Read", "Opportunities"),
        ),
    )


def _tick(right: str, objects: str) -> str:
    return f"Tick “{right}” for {objects} in {_RIGHTS} → Object Settings)."


def _user(client: SalesforceClient) -> str:
    user = client.me()
    return f"{user.name} ({user.username}, id {user.id}) of organisation {user.organization_id}"


def _api(client: SalesforceClient) -> str:
    usage = client.limits()
    return f"The API answers; {usage.used:,} of {usage.most:,} calls of the day are used."


def _reads(client: SalesforceClient, object_name: str) -> str:
    found = next(iter(client.query(select(object_name, ["Id"], limit=1), most=1)), None)
    return "Reading is allowed." if found else "Reading is allowed; there are none to be seen."


def _opportunities(client: SalesforceClient) -> str:
    read = _reads(client, "Opportunity")
    stage = _described(client, "Opportunity").fields.get("StageName")
    if stage is None or not stage.updateable:
        raise NeedsAttention("The user may not change the stage of an opportunity.")
    return f"{read} Stages can be changed."


def _creates(client: SalesforceClient, object_name: str, field_name: str) -> str:
    known = _described(client, object_name)
    described = known.fields.get(field_name)
    if described is None or not described.createable:
        raise NeedsAttention(f"The user may not make records of {known.label} ({object_name}).")
    return "Making them is allowed."


def _described(client: SalesforceClient, object_name: str) -> Described:
    found = client.describe(object_name)
    if found is None:
        raise NeedsAttention(f"The user does not see the object {object_name}.")
    return found


def _stages(client: SalesforceClient) -> str:
    query = select("OpportunityStage", ["MasterLabel", "IsActive"])
    names = [str(one.get("MasterLabel")) for one in client.query(query, most=200)
             if one.get("IsActive")]  # fmt: skip
    if not names:
        raise NeedsAttention("The organisation shows no active stage of opportunities.")
    return f"{len(names)} active: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}"
