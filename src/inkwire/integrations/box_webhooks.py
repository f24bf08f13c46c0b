"""The folder at the top of Box that an integration keeps, and the one webhook on it (R80, R81).

Box knows one webhook for each folder, application and user. So integrations share it: each adds
the triggers that it needs, takes back only what it added itself, and never touches a webhook that
does not deliver to this hub.
"""

from collections.abc import Collection, Iterable

from inkwire.engine.contract import Run
from inkwire.errors import Permanent
from inkwire.integrations.checks import sources_of
from inkwire.providers.box.client import BoxClient
from inkwire.providers.box.events import NO_ACTIVE_SESSION
from inkwire.providers.box.events import TRIGGERS as KNOWN
from inkwire.providers.box.objects import BoxWebhook, NameTaken

#: In an integration's `remote`: the folder, and the webhook on it.
FOLDER_ID, FOLDER_NAME, WEBHOOK_ID = "folder_id", "folder_name", "webhook_id"
#: What it asked of the webhook, so that it can take that back.
ASKED = "webhook_triggers"
#: What Box lets a webhook hear; the other one arrives by itself.
TRIGGERS = frozenset(KNOWN) - {NO_ACTIVE_SESSION}
#: Names that guides tell of and that Box refuses, and what says the same.
_NO_TRIGGERS = {"FILE.VERSION.RESTORED": "FILE.UPLOADED, which a new version brings, too"}


def valid_triggers(names: Iterable[str]) -> tuple[str, ...]:
    """The triggers, each once, in order.

    Raises Permanent that names what Box does not know, and what it does.
    """
    wanted = tuple(dict.fromkeys(names))
    wrong = [name for name in wanted if name not in TRIGGERS]
    if not wrong and wanted:
        return wanted
    told = "; ".join(
        f"Box has no trigger {name}" + (f", use {instead}" if instead else "")
        for name in wrong
        for instead in (_NO_TRIGGERS.get(name, ""),)
    )
    raise Permanent(
        f"{told or 'A webhook needs at least one trigger'}. The triggers of Box are: "
        f"{', '.join(sorted(TRIGGERS))}."
    )


def ensure_top_folder(run: Run, box: BoxClient, wanted: str) -> str:
    """The folder's id: the one that is known if it is still there, else found or made.

    A renamed folder stays ours by its id. Raises what the client raises.
    """
    store = run.services.store
    remote = store.integrations.get(run.integration.id).remote
    # Another name in the settings means another folder; the old one keeps what it holds.
    if remote.get(FOLDER_ID) and remote.get(FOLDER_NAME) == wanted:
        folder = box.folder(remote[FOLDER_ID])
        if folder is not None:
            return folder.id
    made = box.create_folder(wanted)
    if isinstance(made, NameTaken) and made.type != "folder":
        raise Permanent(
            f"A file stands at Box where the folder “{wanted}” should; rename one of them."
        )
    store.integrations.set_remote(run.integration.id, {FOLDER_ID: made.id, FOLDER_NAME: wanted})
    return made.id


def ensure_webhook(
    run: Run, box: BoxClient, folder_id: str, triggers: Collection[str], *, renew: bool = False
) -> dict[str, str]:
    """The webhook on the folder: found right, repaired, adopted or made; never another's.

    A 409 means that there is one: it is ours if it delivers to this hub. Triggers that somebody
    added to it stay. `renew`: write it even if it is right, so that it is this session's.

    Raises Permanent for triggers that Box does not know, and with the way out if the webhook is
    another's.
    """
    services, wanted = run.services, valid_triggers(triggers)
    source = next(iter(sources_of(run.integration, services, "box")), "")
    address = f"{services.base_url}/in/{source}"
    known = services.store.integrations.get(run.integration.id).remote.get(WEBHOOK_ID)
    hook = box.webhook(known) if known else None
    did = "found as it should be"
    if hook is not None and hook.target_id == folder_id:
        hook, repaired = _repaired(run, box, hook, address, wanted, renew=renew)
        did = "repaired" if repaired else did
    else:
        hook = box.create_webhook(folder_id=folder_id, address=address, triggers=wanted)
        did = "made"
        if hook is None:
            hook, did = _adopted(run, box, folder_id, address, wanted)
    services.store.integrations.set_remote(
        run.integration.id, {WEBHOOK_ID: hook.id, ASKED: ",".join(wanted)}
    )
    return {"webhook": hook.id, "address": address, "did": did}


def _adopted(
    run: Run, box: BoxClient, folder_id: str, address: str, wanted: tuple[str, ...]
) -> tuple[BoxWebhook, str]:
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
        hook, repaired = _repaired(run, box, hook, address, wanted)
        return hook, "repaired" if repaired else "adopted"
    raise Permanent(
        "Box says that the folder has a webhook, but does not list it for this user: another "
        "user of the application made it. Delete it there, or use that user, then retry."
    )


def _neighbour(run: Run, hook: BoxWebhook) -> str | None:
    """Another integration that this webhook serves by another source."""
    for other in run.services.store.integrations.all():
        if (
            other.id != run.integration.id
            and other.remote.get(WEBHOOK_ID) == hook.id
            and sources_of(other, run.services, "box")
            != sources_of(run.integration, run.services, "box")
        ):
            return other.label
    return None


def _repaired(
    run: Run,
    box: BoxClient,
    hook: BoxWebhook,
    address: str,
    wanted: tuple[str, ...],
    *,
    renew: bool = False,
) -> tuple[BoxWebhook, bool]:
    """The webhook with that address and those triggers, and whether it had to be changed."""
    gone = _unneeded(run, hook, wanted)
    merged = tuple(name for name in dict.fromkeys((*wanted, *hook.triggers)) if name not in gone)
    if not renew and hook.address == address and set(merged) == set(hook.triggers):
        return hook, False
    return box.update_webhook(hook.id, address=address, triggers=merged), True


def _unneeded(run: Run, hook: BoxWebhook, wanted: tuple[str, ...]) -> set[str]:
    """Triggers that this integration asked for before, and that nobody asks for any more."""
    gone: set[str] = set()
    needed = set(wanted)
    for one in run.services.store.integrations.all():
        asked = set(filter(None, one.remote.get(ASKED, "").split(",")))
        if one.id == run.integration.id:
            gone = asked
        elif one.remote.get(WEBHOOK_ID) == hook.id:
            needed |= asked
    return gone - needed
