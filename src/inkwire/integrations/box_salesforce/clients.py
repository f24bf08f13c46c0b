"""Box and Salesforce as the integration's connections call them; each call is recorded."""

from inkwire.engine.contract import Run
from inkwire.errors import Permanent
from inkwire.providers.box.client import BoxClient
from inkwire.providers.salesforce.client import SalesforceClient


def box(run: Run) -> BoxClient:
    """Box. Raises Permanent without a connection."""
    connection_id = run.integration.connection_id
    if connection_id is None:
        raise Permanent("The integration has no connection to Box; choose one, then retry.")
    work_id, run_id = _whose(run)
    return run.services.connections.box(connection_id, work_id=work_id, run_id=run_id)


def salesforce(run: Run) -> SalesforceClient:
    """Salesforce. Raises Permanent without a connection."""
    connection_id = run.integration.second_connection_id
    if connection_id is None:
        raise Permanent("The integration has no connection to Salesforce; choose one, then retry.")
    work_id, run_id = _whose(run)
    return run.services.connections.salesforce(connection_id, work_id=work_id, run_id=run_id)


def _whose(run: Run) -> tuple[str | None, str | None]:
    """The work and the run that calls are recorded with; nobody's for a mere question."""
    return (run.work.id, run.work.run_id) if run.work.id else (None, None)
