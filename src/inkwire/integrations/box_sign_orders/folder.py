"""The folder that the PDFs go to, and the webhook on it (R5, R6, R20–R22)."""

from inkwire.engine.contract import Run
from inkwire.errors import Permanent
from inkwire.integrations.box_sign_orders.settings import chosen
from inkwire.providers.box.client import BoxClient
from inkwire.providers.box.objects import BoxWebhook, NameTaken

#: Exactly these (R21).
TRIGGERS = ("SIGN_REQUEST.COMPLETED", "SIGN_REQUEST.DECLINED", "SIGN_REQUEST.EXPIRED")


def client(run: Run) -> BoxClient:
    """Box as the integration's connection calls it, each call recorded with the run."""
    connection_id = run.integration.connection_id
    if connection_id is None:
        raise Permanent("The integration has no connection; choose one, then retry.")
    return run.services.connections.box(connection_id, work_id=run.work.id, run_id=run.work.run_id)


def ensure_folder(run: Run) -> str:
    """The folder's id: the one that is known if it is still there, else found or made.

    A renamed folder stays ours by its id. Raises what the client raises.
    """
    store, wanted = run.services.store, chosen(run.integration).folder_name
    remote = store.integrations.get(run.integration.id).remote
    box = client(run)
    # Another name in the settings means another folder; the old one keeps what it holds.
    if remote.get("folder_id") and remote.get("folder_name") == wanted:
        folder = box.folder(remote["folder_id"])
        if folder is not None:
            return folder.id
    made = box.create_folder(wanted)
    if isinstance(made, NameTaken) and made.type != "folder":
        raise Permanent(
            f"A file stands at Box where the folder “{wanted}” should; rename one of them."
        )
    store.integrations.set_remote(run.integration.id, {"folder_id": made.id, "folder_name": wanted})
    return made.id


def ensure_webhook(run: Run, folder_id: str) -> dict[str, str]:
    """The webhook on the folder: found right, repaired, adopted or made; never another's.

    Box knows one webhook for each folder, application and user, so a 409 means that there is one:
    it is ours if it delivers to this hub. Triggers that somebody added to it stay.
    """
    services = run.services
    source = run.integration.source_ids[0] if run.integration.source_ids else ""
    address = f"{services.base_url}/in/{source}"
    box = client(run)
    known = services.store.integrations.get(run.integration.id).remote.get("webhook_id")
    hook = box.webhook(known) if known else None
    did = "found as it should be"
    if hook is not None and hook.target_id == folder_id:
        if hook.address != address or not set(TRIGGERS) <= set(hook.triggers):
            box.update_webhook(hook.id, address=address, triggers=_merged(hook))
            did = "repaired"
    else:
        hook = box.create_webhook(folder_id=folder_id, address=address, triggers=TRIGGERS)
        did = "made"
        if hook is None:
            hook, did = _adopted(run, box, folder_id, address)
    services.store.integrations.set_remote(run.integration.id, {"webhook_id": hook.id})
    return {"webhook": hook.id, "address": address, "did": did}


def _adopted(run: Run, box: BoxClient, folder_id: str, address: str) -> tuple[BoxWebhook, str]:
    base_url = run.services.base_url
    for mini in box.webhooks():
        if mini.target_id != folder_id or mini.target_type != "folder":
            continue
        hook = box.webhook(mini.id)
        if hook is None:
            continue
        if not hook.address.startswith(f"{base_url}/in/"):
            raise Permanent(
                f"The folder has the webhook {hook.id} of this application already, to "
                f"{hook.address}, which is not this hub. Delete it in Box or choose another "
                "folder, then retry."
            )
        if (neighbour := _neighbour(run, hook)) is not None:
            raise Permanent(
                f"{neighbour} has the same folder with another source, and Box keeps one webhook "
                "for each folder: give both the same source, or different folders, then retry."
            )
        if hook.address != address or not set(TRIGGERS) <= set(hook.triggers):
            return box.update_webhook(hook.id, address=address, triggers=_merged(hook)), "repaired"
        return hook, "adopted"
    raise Permanent(
        "Box says that the folder has a webhook, but does not list it for this user: another "
        "user of the application made it. Delete it there, or use that user, then retry."
    )


def _neighbour(run: Run, hook: BoxWebhook) -> str | None:
    """Another integration that this webhook serves by another source."""
    for other in run.services.store.integrations.all():
        if (
            other.id != run.integration.id
            and other.remote.get("webhook_id") == hook.id
            and other.source_ids != run.integration.source_ids
        ):
            return other.label
    return None


def _merged(hook: BoxWebhook) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*TRIGGERS, *hook.triggers)))
