"""The sandbox's Salesforce: an emulation that is truthful where it is known what Salesforce does.

answers.py       errors and bodies in Salesforce's shape; ids.py: ids; values.py: what a field takes
schema.py        objects and fields; standard.py: the standard ones
records.py       records in the state and in memory; locks.py: who holds an Account
writing.py       creates, changes, deletes; deals.py, files.py: what Salesforce adds to them
rules.py         an organisation's own validation rules
soql.py          reads queries; queries.py: runs them
organization.py  people, lists, the application; tokens.py, authorize.py: OAuth; limits.py: the day
statements.py    what an application signs to get a token
api.py           the frame of every call; uploads.py: multipart
rows.py          records and queries; describing.py; replication.py; composite.py; bulk.py
outbound.py      messages to an address when a record is saved
faults.py        faults in Salesforce's shapes
control.py       what only a sandbox can do; page.py: the operator's page
"""

from starlette.routing import Route

from inkwire.providers.salesforce.sandbox.api import Api
from inkwire.providers.salesforce.sandbox.authorize import AuthorizePage
from inkwire.providers.salesforce.sandbox.bulk import Bulk
from inkwire.providers.salesforce.sandbox.composite import Composite
from inkwire.providers.salesforce.sandbox.control import Control, described
from inkwire.providers.salesforce.sandbox.deals import Deals
from inkwire.providers.salesforce.sandbox.faults import shaped
from inkwire.providers.salesforce.sandbox.files import Files
from inkwire.providers.salesforce.sandbox.limits import Limits
from inkwire.providers.salesforce.sandbox.locks import Locks
from inkwire.providers.salesforce.sandbox.organization import Organization
from inkwire.providers.salesforce.sandbox.outbound import Outbound
from inkwire.providers.salesforce.sandbox.page import OperatorPage
from inkwire.providers.salesforce.sandbox.parts import Parts
from inkwire.providers.salesforce.sandbox.queries import Queries
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.replication import Replication
from inkwire.providers.salesforce.sandbox.rows import Rows
from inkwire.providers.salesforce.sandbox.rules import Rules
from inkwire.providers.salesforce.sandbox.schema import Schema
from inkwire.providers.salesforce.sandbox.standard import standard_objects
from inkwire.providers.salesforce.sandbox.tokens import Tokens
from inkwire.providers.salesforce.sandbox.writing import Writer
from inkwire.providers.sandboxing import Mounted, Stage


def mount(stage: Stage) -> Mounted:
    """Salesforce on this stage."""
    schema = Schema(stage.state, standard_objects())
    records, locks, limits = Records(stage, schema), Locks(), Limits(stage)
    writer = Writer(records, locks)
    Deals(writer)
    files = Files(writer, stage.state)
    organization = Organization(stage, records)
    queries = Queries(records, files, stage.clock)
    rules = Rules(stage.state, records, queries)
    writer.rules.append(rules.check)
    parts = Parts(
        stage=stage,
        records=records,
        writer=writer,
        organization=organization,
        tokens=Tokens(stage, organization),
        limits=limits,
        locks=locks,
        rules=rules,
        bulk=Bulk(stage, records, writer),
    )
    outbound = Outbound(stage, records, writer, organization)

    async def tick() -> None:
        records.settle()
        parts.bulk.tick()
        await outbound.tick()

    return Mounted(
        routes=[*_routes(parts, queries), *outbound.routes()],
        tick=tick,
        ready=lambda: described(parts),
        pages=(("Salesforce", "/salesforce"),),
        fault=shaped,
    )


def _routes(parts: Parts, queries: Queries) -> list[Route]:
    """The calls of the API, OAuth's endpoints, the pages and the controls."""
    stage, records, writer, limits = parts.stage, parts.records, parts.writer, parts.limits
    rows = Rows(records, writer, queries, stage.state)
    api = Api(stage, parts.tokens, limits, writer)
    composite = Composite(api, rows, records, writer, limits)
    replication = Replication(records, rows, limits, stage.clock)
    # A fixed word stands before a place: the records come last.
    for one in (composite, replication, parts.bulk, rows):
        api.add(one.entries())
    return [
        *parts.tokens.routes(),
        *AuthorizePage(stage, parts.organization, parts.tokens).routes(),
        *api.routes(),
        *parts.bulk.routes(),
        *OperatorPage(parts).routes(),
        *Control(parts).routes(),
    ]
