"""Salesforce: records, files and tasks, by its REST API; Outbound Messages that wake."""

from inkwire.providers.contract import Provider
from inkwire.providers.salesforce.auth import SalesforceConnector
from inkwire.providers.salesforce.receive import SalesforceReceiver

PROVIDER = Provider(
    name="salesforce",
    title="Salesforce",
    summary="Records, files and tasks of a Salesforce organisation by its REST API; Outbound "
    "Messages say at once that a record was saved.",
    receive=SalesforceReceiver(),
    connect=SalesforceConnector(),
    proves_body=False,
    package=__name__,
    sandbox=f"{__name__}.sandbox",
)
