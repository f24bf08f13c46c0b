"""What the clock brings: open requests are read again, orphans found, the webhook kept right."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Conflict, NotFound, Permanent, Transient
from inkwire.integrations.box_sign_orders.external import read_external
from inkwire.integrations.box_sign_orders.folder import client, ensure_folder, ensure_webhook
from inkwire.integrations.box_sign_orders.reaching import require_reachable
from inkwire.integrations.box_sign_orders.sending import fits, row, with_field
from inkwire.integrations.box_sign_orders.settings import chosen
from inkwire.integrations.box_sign_orders.states import state_of, trigger_of
from inkwire.integrations.box_sign_orders.telling import apply_anew, tell
from inkwire.model.access import AuditEntry
from inkwire.model.document import SignRequest, SignState
from inkwire.model.event import Origin
from inkwire.model.order import LineKind, Order
from inkwire.model.work import LedgerState, ParkCause, Work, WorkState
from inkwire.providers.box.objects import BoxSign
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import MAX_PAGE
from inkwire.store.ordering import OrderChange

#: Requests read in one run: Box allows a user 1,000 reads a minute.
_MOST = 200
#: Requests in a row that cannot be read, after which it is Box that does not work.
_IN_A_ROW = 3
#: Orphans that a run's note names.
_NAMED = 20
#: Kept in place of Box's status of a request that it does not show.
_GONE = "gone"
_GOES_ON = (WorkState.NEW, WorkState.RUNNING, WorkState.PARKED)
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
    await require_reachable(run)
    return Outcome.done(f"Webhook {did['webhook']} to {did['address']}: {did['did']}.")


async def reconcile(run: Run) -> Outcome:
    """Every open request whose time has come is read again: a lost webhook only costs time."""
    await run.step(
        "decided",
        lambda: _carry_on(run),
        plan="Start work that a person decided and that still waits",
        pretend=0,
    )
    read = await run.step(
        "read",
        lambda: _reconcile(run),
        plan="GET /sign_requests/{id} of the open ones",
        pretend={"found": 0, "unread": ""},
    )
    found = read["found"]
    note = f"{found} outcomes were found that no webhook had told." if found else "All is known."
    return Outcome.done(f"{note} {read['unread']}".strip())


async def find_orphans(run: Run) -> Outcome:
    """Requests at Box that bear our mark and that no order knows: an answer that was lost."""
    found = await run.step(
        "walk", lambda: _orphans(run), plan="GET /sign_requests, all pages", pretend=[]
    )
    if not found:
        return Outcome.done("There are no orphans.")
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return Outcome.done(f"Adopted: {', '.join(found[:_NAMED])}{more}.")


def _reconcile(run: Run) -> dict[str, Any]:
    """How many outcomes were `found`, and a sentence about those that stayed `unread`."""
    services, found = run.services, 0
    unread: list[str] = []
    in_a_row = 0
    requests = services.store.sign_requests.due(
        run.integration.id, now=services.clock.now(), limit=_MOST
    )
    for request in requests:
        try:
            found += _read(run, request)
            in_a_row = 0
        except (Permanent, Transient) as error:
            # One that Box cannot show must not keep the others from being read, today or for ever.
            unread.append(error.message)
            in_a_row += 1
            if in_a_row >= min(_IN_A_ROW, len(requests)):
                raise
            _checked(run, request, request.vendor_status)
    told = f"{len(unread)} could not be read, such as: {unread[0]}" if unread else ""
    return {"found": found, "unread": told[:500]}


def _read(run: Run, request: SignRequest) -> bool:
    """Reads one again; whether that brought an outcome that nobody had told."""
    store = run.services.store
    sign = client(run).sign_request(request.id)
    now = store.sign_requests.get(request.id)
    if now is None or now.next_check_at is None:
        return False  # its outcome came home meanwhile
    if sign is None and now.state is not SignState.OPEN:
        _gone(run, now)
        return False
    if sign is None and now.vendor_status != _GONE:
        # Hidden, perhaps, from a user who was changed: it is gone if it is so the next time too.
        _checked(run, request, _GONE)
        return False
    state = SignState.FAILED if sign is None else state_of(sign.status)
    found = state is not SignState.OPEN and _brought(run, request, state)
    _checked(run, request, _GONE if sign is None else sign.status)
    return found


def _brought(run: Run, request: SignRequest, state: SignState) -> bool:
    """Makes the work of an outcome, or runs it again if it ended without bringing that home."""
    works, row = run.services.store.works, _outcome(run, request, state)
    if works.add([row]):
        return True
    there = works.by_key(row.integration_id, row.key)
    if there is None or there.state is not WorkState.DONE:
        return False  # it goes on by itself, or is a person's to start
    _again(run, there.id, "its outcome had not come home")
    return True


def _gone(run: Run, request: SignRequest) -> None:
    """It ended, some of its documents are missing, and Box shows it no more."""
    text = (
        f"Box no longer shows sign request {request.id}, so documents that are missing here cannot "
        "be fetched. Look for them in Box."
    )
    tell(run, request.order_id, LineKind.ATTENTION, text, once=f"gone/{request.id}")
    now = run.services.clock.now()
    run.services.store.sign_requests.checked(request.id, vendor_status=_GONE, next_at=None, at=now)


def _checked(run: Run, request: SignRequest, vendor_status: str) -> None:
    now = run.services.clock.now()
    run.services.store.sign_requests.checked(
        request.id, vendor_status=vendor_status, next_at=now + _pause(request), at=now
    )


def _carry_on(run: Run) -> int:
    """Starts work that waits for a person although the ledger has the word.

    Its writer was killed between the two, or the run was just ending when the word came.
    """
    store, started = run.services.store, 0
    query = WorkQuery(
        integration_id=run.integration.id,
        workflow="request_signature",
        state=WorkState.PARKED,
        park_cause=ParkCause.PERSON,
        limit=MAX_PAGE,
    )
    while True:
        page = store.works.page(query)
        for work in page:
            entries = store.ledger.of_work(work.id)
            if entries and all(entry.state is not LedgerState.DOUBT for entry in entries):
                _again(run, work.id, "its doubt was decided")
                started += 1
        if len(page) < MAX_PAGE:
            return started
        query = replace(query, before=page[-1].id)


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
    if run.integration.connection_id is None:
        return []
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
    return found[:1000]


def _adopt(run: Run, sign: BoxSign) -> bool:
    """Gives a request to its order; one whose sending is in doubt settles that doubt.

    One whose run goes on by itself is left to that run.
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
            if entry.state is LedgerState.DONE:
                if entry.remote_id == sign.id and work.state in _GOES_ON:
                    return False
            elif fits(sign, entry):
                if entry.state is LedgerState.DOUBT:
                    _settle(run, entry.key, sign)
                    _again(run, work.id, "its sign request was found at Box")
                    return True
                if entry.state in (LedgerState.SENDING, LedgerState.REPEAT):
                    if work.state in _GOES_ON:
                        return False
                    _settle(run, entry.key, sign)
    return apply_anew(run, lambda: _adopted(run, sign, order.id))


def _settle(run: Run, key: str, sign: BoxSign) -> None:
    run.services.store.ledger.settle(key, remote_id=sign.id, at=run.services.clock.now())


def _adopted(run: Run, sign: BoxSign, order_id: str) -> OrderChange:
    """Row, field and line of a request that was found at Box."""
    services = run.services
    order = services.store.orders.get(order_id)
    signer = sign.signer_emails[0] if sign.signer_emails else order.customer.email
    text = f"Box holds sign request {sign.id} for this order, which Inkwire did not know; adopted."
    refs = {"sign_request": sign.id, "work": run.work.id, "integration": run.integration.label}
    return OrderChange(
        order_id=order.id,
        once=f"sent/{sign.id}",
        order=_pointing(run, order, sign),
        lines=(services.orders.line(order.id, LineKind.ATTENTION, text, refs=refs),),
        sign_request=row(run, sign, order_id=order.id, signer=signer),
    )


def _pointing(run: Run, order: Order, sign: BoxSign) -> Order | None:
    """The order with the request in its field, unless another open one stands there (R12)."""
    field = chosen(run.integration).order_field
    there = run.services.store.sign_requests.get(order.fields.get(field, ""))
    if there is not None and there.state is SignState.OPEN:
        return None
    return with_field(order, field, sign.id, run.services.clock.now())


def _again(run: Run, work_id: str, why: str) -> None:
    """A row that ended or waits goes on by itself; one that runs or is about to, does anyway."""
    services = run.services
    entry = AuditEntry(
        id=services.ids.new("aud"),
        at=services.clock.now(),
        actor=run.integration.label,
        action="work.retry",
        target=work_id,
        detail={"why": why},
    )
    with suppress(Conflict):
        services.store.works.again(work_id, at=services.clock.now(), audit=entry)


def _of_order(run: Run, order_id: str) -> WorkQuery:
    return WorkQuery(integration_id=run.integration.id, entity_key=f"order:{order_id}", limit=50)
