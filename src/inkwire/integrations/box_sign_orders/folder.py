"""The folder that the PDFs go to, and the webhook on it (R5, R6, R20–R22)."""

from inkwire.engine.contract import Run
from inkwire.errors import Permanent
from inkwire.integrations import box_webhooks
from inkwire.integrations.box_sign_orders.settings import chosen
from inkwire.providers.box.client import BoxClient

#: Exactly these (R21).
TRIGGERS = ("SIGN_REQUEST.COMPLETED", "SIGN_REQUEST.DECLINED", "SIGN_REQUEST.EXPIRED")


def client(run: Run) -> BoxClient:
    """Box as the integration's connection calls it, each call recorded with the run."""
    connection_id = run.integration.connection_id
    if connection_id is None:
        raise Permanent("The integration has no connection; choose one, then retry.")
    return run.services.connections.box(connection_id, work_id=run.work.id, run_id=run.work.run_id)


def ensure_folder(run: Run) -> str:
    """The folder's id; see `box_webhooks.ensure_top_folder`."""
    return box_webhooks.ensure_top_folder(run, client(run), chosen(run.integration).folder_name)


def ensure_webhook(run: Run, folder_id: str) -> dict[str, str]:
    """The webhook on the folder; see `box_webhooks.ensure_webhook`."""
    return box_webhooks.ensure_webhook(run, client(run), folder_id, TRIGGERS)
