"""Salesforce: records, files and tasks, by its REST API."""

from inkwire.providers.contract import Provider
from inkwire.providers.salesforce.auth import SalesforceConnector

PROVIDER = Provider(
    name="salesforce",
    title="Salesforce",
    summary="Records, files and tasks of a Salesforce organisation, by its REST API.",
    connect=SalesforceConnector(),
    package=__name__,
    sandbox=f"{__name__}.sandbox",
)
