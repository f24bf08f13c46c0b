"""What the clock brings: open requests are read again, orphans found, the webhook kept right."""

import hashlib
from datetime import timedelta

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import NotFound
from inkwire.integrations.box_sign_orders.external import read_external
from inkwire.integrations.box_sign_orders.folder import client, ensure_folder, ensure_webhook
from inkwire.integrations.box_sign_orders.sending import row
from inkwire.integrations.box_sign_orders.states import state_of, trigger_of
from inkwire.integrations.box_sign_orders.telling import tell
from inkwire.model.access import AuditEntry
from inkwire.model.document import SignRequest, SignState
from inkwire.model.event import Origin
from inkwire.model.order import LineKind
from inkwire.model.work import LedgerState, Work
from inkwire.providers.box.objects import BoxSign
from inkwire.store.acting import WorkQuery
from inkwire.store.ordering import OrderChange

#: Requests read in one run: Box allows a user 1,000 reads a minute.
_MOST = 200
#: Seconds between two readings of one request, by how often it was read; then the last.
_EVERY_S = (900, 900, 1800, 3600)


async def set_up(run: Run) -> Outcome:
    """Folder and webhook as they should be; run by the clock, it repairs what drifted."""
    folder = await run.step(
        "folder", lambda: ensure_folder(run), plan="Find or make the folder", pretend="0"
    )
    did = await run.step(
        "webhook",
        lambda: ensure_webhook(run, folder),
        plan="Find, repair or make the webhook on the folder",
        pretend={"webhook": "", "address": "", "did": "not touched"},
    )
    return Outcome.done(f"Webhook {did['webhook']} to {did['address']}: {did['did']}.")


async def reconcile(run: Run) -> Outcome:
    """Every open request whose time has come is read again: a lost webhook only costs time."""
    found = await run.step(
        "read", lambda: _reconcile(run), plan="GET /sign_requests/{id} of the open ones", pretend=[]
    )
    return Outcome.done(
        f"{len(found)} outcomes were found that no webhook had told." if found else "All is known."
    )


async def find_orphans(run: Run) -> Outcome:
    """Requests at Box that bear our mark and that no order knows: an answer that was lost."""
    found = await run.step(
        "walk", lambda: _orphans(run), plan="GET /sign_requests, all pages", pretend=[]
    )
    if not found:
        return Outcome.done("There are no orphans.")
    return Outcome.done(f"Adopted: {', '.join(found)}.")


def _reconcile(run: Run) -> list[str]:
    services, box = run.services, client(run)
    found = []
    for request in services.store.sign_requests.due(
        run.integration.id, now=services.clock.now(), limit=_MOST
    ):
        sign, now = box.sign_request(request.id), services.clock.now()
        status = sign.status if sign is not None else "gone"
        state = state_of(status) if sign is not None else SignState.FAILED
        if state is not SignState.OPEN and services.store.works.add(
            [_outcome(run, request, state)]
        ):
            found.append(request.id)
        services.store.sign_requests.checked(
            request.id, vendor_status=status, next_at=now + _pause(request), at=now
        )
    return found


def _outcome(run: Run, request: SignRequest, state: SignState) -> Work:
    now = run.services.clock.now()
    return Work(
        id=run.services.ids.new("wrk"),
        integration_id=run.integration.id,
        key=f"{request.id}/{trigger_of(state)}",
        workflow="bring_home",
        entity_key=f"box:sign_request:{request.id}",
        origin=Origin.RECONCILED,
        subject={"sign_request_id": request.id},
        due_at=now,
        created_at=now,
    )


def _pause(request: SignRequest) -> timedelta:
    """Slower each time, and not all at once: a tenth earlier or later, by the request's id."""
    base = _EVERY_S[min(request.checks, len(_EVERY_S) - 1)]
    spread = hashlib.sha256(request.id.encode()).digest()[0] / 255 * 0.2 + 0.9
    return timedelta(seconds=base * spread)


def _orphans(run: Run) -> list[str]:
    store = run.services.store
    ours: list[BoxSign] = []
    for sign in client(run).sign_requests():
        joined = read_external(sign.external_id)
        if joined is not None and joined.integration_id == run.integration.id:
            ours.append(sign)
    found = []
    for start in range(0, len(ours), 1000):
        part = ours[start : start + 1000]
        known = store.sign_requests.known([sign.id for sign in part])
        found += [sign.id for sign in part if sign.id not in known and _adopt(run, sign)]
    return found


def _adopt(run: Run, sign: BoxSign) -> bool:
    """Gives a request to its order; one whose sending is in doubt settles that doubt.

    One that is being sent just now is left to the run that sends it.
    """
    services, joined = run.services, read_external(sign.external_id)
    if joined is None:
        return False
    try:
        order = services.store.orders.get(joined.order_id)
    except NotFound:
        return False
    for work in services.store.works.page(_of_order(run, order.id)):
        for entry in services.store.ledger.of_work(work.id):
            if entry.state is LedgerState.SENDING:
                return False
            if entry.state is LedgerState.DOUBT:
                services.store.ledger.settle(entry.key, remote_id=sign.id, at=services.clock.now())
                _again(run, work.id)
                return True
    signer = sign.signer_emails[0] if sign.signer_emails else order.customer.email
    services.orders.apply(
        OrderChange(
            order_id=order.id,
            once=f"sent/{sign.id}",
            sign_request=row(run, sign, order_id=order.id, signer=signer),
        )
    )
    text = f"Box holds sign request {sign.id} for this order, which Inkwire did not know; adopted."
    tell(run, order.id, LineKind.ATTENTION, text, once=f"orphan/{sign.id}")
    return True


def _again(run: Run, work_id: str) -> None:
    """The run that asked a person goes on by itself."""
    services = run.services
    entry = AuditEntry(
        id=services.ids.new("aud"),
        at=services.clock.now(),
        actor=run.integration.label,
        action="work.retry",
        target=work_id,
        detail={"why": "its sign request was found at Box"},
    )
    services.store.works.again(work_id, at=services.clock.now(), audit=entry)


def _of_order(run: Run, order_id: str) -> WorkQuery:
    return WorkQuery(integration_id=run.integration.id, entity_key=f"order:{order_id}", limit=50)
