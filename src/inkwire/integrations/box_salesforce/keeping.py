"""The webhook on the root folder is kept right, and missed if it falls silent (R80, R81).

Box has no field that says how a webhook is: it is there or not, with an address and triggers. So
each hour, and at once when Box says that it is gone or that its session is dead, it is looked at
and repaired. When nothing was delivered for weeks although files changed, a person is told.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from inkwire.engine.contract import EventHandler, Outcome, Run
from inkwire.integrations.box_salesforce.clients import box
from inkwire.integrations.box_salesforce.settings import Chosen, chosen
from inkwire.integrations.box_webhooks import ensure_top_folder, ensure_webhook
from inkwire.integrations.checks import sources_of
from inkwire.model.event import ParsedEvent
from inkwire.model.work import Integration, IntegrationState
from inkwire.providers.box.events import NO_ACTIVE_SESSION
from inkwire.providers.payload import text_at

#: Box removes a webhook after 30 days without a success, 14 of them with events (box.md §0).
SILENT = timedelta(days=20)
#: Keys of `remote`: when a change was last found that no webhook had told of; what a person should
#: know of the webhook.
GAP_AT, WARNING = "gap_at", "webhook_warning"
#: Triggers that mean: look at the webhook now.
ALARMS = (NO_ACTIVE_SESSION, "WEBHOOK.DELETED")

_FILES = ("FILE.UPLOADED", "FILE.COPIED", "FILE.MOVED", "FILE.RESTORED", "FILE.RENAMED")
_MAPPING = (
    "METADATA_INSTANCE.CREATED",
    "METADATA_INSTANCE.UPDATED",
    "METADATA_INSTANCE.DELETED",
)
_ACTIVITY = ("COLLABORATION.CREATED", "COLLABORATION.ACCEPTED")
_VIEWS = ("FILE.PREVIEWED", "FILE.DOWNLOADED")


def alarms() -> EventHandler:
    """Box says that something is wrong with a webhook: it is looked at now."""
    return EventHandler(
        types=frozenset(f"box.{trigger}" for trigger in ALARMS),
        workflow="keep_webhook",
        key=lambda event, _: event.id,
        entity=lambda _, parsed: f"box:webhook:{_webhook(parsed)}",
        subject=_alarm,
        state_idempotent=True,
    )


def _alarm(integration: Integration, parsed: ParsedEvent) -> Mapping[str, str] | None:
    if integration.state is IntegrationState.INACTIVE:
        return None
    return {"trigger": parsed.type.removeprefix("box."), "webhook_id": _webhook(parsed)}


def _webhook(parsed: ParsedEvent) -> str:
    return text_at(parsed.payload, "webhook", "id") or "-"


def triggers_of(given: Chosen) -> tuple[str, ...]:
    """What the webhook has to hear for these settings."""
    return (
        *_FILES,
        "FILE.LOCKED",
        *_MAPPING,
        *(_ACTIVITY if given.log_activity else ()),
        *(_VIEWS if given.log_activity and given.log_views else ()),
        "SIGN_REQUEST.COMPLETED",
        "WEBHOOK.DELETED",
    )


async def keep_webhook(run: Run) -> Outcome:
    """Root folder and webhook as they should be; run by the clock, it repairs what drifted."""
    alarm = run.work.subject.get("trigger", "")
    if alarm == NO_ACTIVE_SESSION:
        # A dead session is told by the connection itself: whoever calls by it is parked.
        await run.step("session", lambda: box(run).me().id)
    folder = await run.step(
        "folder",
        lambda: ensure_top_folder(run, box(run), chosen(run.integration).root_folder),
        plan="Find or make the root folder",
        pretend="0",
    )
    did = await run.step(
        "webhook",
        lambda: ensure_webhook(
            run,
            box(run),
            folder,
            triggers_of(chosen(run.integration)),
            renew=alarm == NO_ACTIVE_SESSION,
        ),
        plan="Find, repair or make the webhook on the root folder",
        pretend={"webhook": "", "address": "", "did": "not touched"},
    )
    warning = await run.step(
        "silence",
        lambda: _silence(run, alarm),
        plan="Note whether it has been silent",
        pretend="",
    )
    told = f"Webhook {did['webhook']} to {did['address']}: {did['did']}."
    return Outcome.done(f"{told} {warning}".strip())


def _silence(run: Run, alarm: str) -> str:
    """A sentence for a person, kept until the next look; "" if all is well."""
    integrations, now = run.services.store.integrations, run.services.clock.now()
    remote = integrations.get(run.integration.id).remote
    heard, gap = last_heard(run), remote.get(GAP_AT)
    gap_at = datetime.fromisoformat(gap) if gap else None
    silent = (
        gap_at is not None
        and now - gap_at < SILENT
        and now - (heard or run.integration.created_at) >= SILENT
        and (heard is None or gap_at > heard)
    )
    text = ""
    if silent:
        since = f"since {heard:%Y-%m-%d}" if heard is not None else "at all"
        text = (
            f"Nothing was delivered {since}, although files changed in Box. Check that "
            f"{run.services.base_url} can be reached from the internet and that its certificate is "
            "valid; Box removes a webhook after 30 days without a success."
        )
    elif alarm:
        text = _told(alarm)
    if remote.get(WARNING, "") != text:
        integrations.set_remote(run.integration.id, {WARNING: text})
    return text


def last_heard(run: Run) -> datetime | None:
    """When something last arrived from Box at the integration's sources; None: never."""
    known = run.services.store.sources.activity(run.services.clock.now())
    heard = sources_of(run.integration, run.services, "box")
    times = [known[one].last_receipt_at for one in heard if one in known]
    return max((at for at in times if at is not None), default=None)


def _told(alarm: str) -> str:
    if alarm == NO_ACTIVE_SESSION:
        return (
            "Box said that the session which made the webhook is dead. The connection works, and "
            "the webhook was written anew; if that comes again, delete the webhook in Box: it is "
            "made again within the hour."
        )
    return "Box had removed the webhook; what changed meanwhile is looked for each hour."
