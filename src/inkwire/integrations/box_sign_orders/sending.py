"""The sign request itself: sent once, and in doubt never again without a person (R36, DESIGN §6).

Box knows no idempotency key, and a second request is a second mail to a customer. So the ledger
notes the sending before it happens; whoever finds it noted looks at Box instead of sending.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import (
    Ambiguous,
    CallFailed,
    Fenced,
    Held,
    Permanent,
)
from inkwire.integrations.box_sign_orders.external import external_id
from inkwire.integrations.box_sign_orders.folder import client
from inkwire.integrations.box_sign_orders.settings import Chosen, chosen, prefilled
from inkwire.integrations.box_sign_orders.states import state_of
from inkwire.integrations.box_sign_orders.telling import tell
from inkwire.model.document import SignRequest, SignState
from inkwire.model.order import LineKind, Order
from inkwire.model.work import LedgerEntry, LedgerState
from inkwire.providers.box.objects import BoxSign, SignDraft, SignSigner
from inkwire.store.acting import WorkQuery

#: Seconds after the sending at which Box is looked at again before a person is asked. The first
#: is the settle time: a connection may drop while Box still works on the request.
PROBES_S = (120, 600, 3600)
#: A request that is found may be this much older than our note of sending it: clocks differ.
_SKEW = timedelta(minutes=10)
_SENT = (LedgerState.SENDING, LedgerState.DOUBT, LedgerState.DONE, LedgerState.ABANDONED)


def ledger_key(run: Run) -> str:
    """Of this work's sign request."""
    return f"sign_request/{_external(run)}/{run.work.key}"


def is_sent(run: Run) -> bool:
    """Whether a sign request of this work was sent, or may have been."""
    entry = run.services.store.ledger.get(ledger_key(run))
    return entry is not None and entry.state in _SENT


def out_elsewhere(run: Run) -> str:
    """A sign request that another row of this order has sent, or may have; "" if there is none.

    The order was triggered again, or an older row is run again: that decides no doubt.
    """
    store = run.services.store
    rows = store.works.page(
        WorkQuery(
            integration_id=run.integration.id,
            entity_key=run.work.entity_key,
            workflow=run.work.workflow,
        )
    )
    for work in rows:
        for entry in store.ledger.of_work(work.id) if work.id != run.work.id else ():
            if entry.state in (LedgerState.SENDING, LedgerState.DOUBT):
                return (
                    f"Nobody knows yet whether {work.id} sent a sign request for this order, so "
                    "nothing was sent. Retry or decide that doubt, then set the trigger status "
                    "again if it is still needed."
                )
            if entry.state is LedgerState.DONE and _is_out(run, entry.remote_id or ""):
                return f"Sign request {entry.remote_id} is out for this order already."
    return ""


def fits(sign: BoxSign, entry: LedgerEntry) -> bool:
    """Whether it can be what was sent: not older than that, as far as two clocks can tell."""
    since = (entry.sent_at or entry.updated_at) - _SKEW
    return sign.created_at is None or sign.created_at >= since


def send(run: Run, folder: str, files: list[str], *, version: int) -> dict[str, Any]:
    """Sends the request unless it was sent. `changed`: the order is another by now.

    Raises Fenced if another worker was faster, Held if a person must decide, and what Box says.
    """
    services = run.services
    entry = services.store.ledger.intend(_entry(run))
    if entry.state in _SENT:
        return find(run)
    if (late := _late(run, entry)) is not None:
        return _settled(run, late)
    order = services.orders.read(run.work.subject["order_id"])
    if order is None or order.version != version:
        return {"changed": True}
    box, draft = client(run), _draft(run, order, chosen(run.integration), folder, files)
    claimed = services.store.ledger.send(
        entry.key, fence=entry.fence, run_id=run.work.run_id, at=services.clock.now()
    )
    if claimed is None:
        raise Fenced
    try:
        sign = box.create_sign_request(draft)
    except Ambiguous:
        return find(run)  # if Box shows it already, nobody has to wait
    except CallFailed:
        # Box refused it, so nothing was made.
        services.store.ledger.unsent(entry.key, fence=claimed.fence, at=services.clock.now())
        raise
    return _settled(run, sign.id)


def find(run: Run) -> dict[str, Any]:
    """What became of a request that was sent: `sign_request`, or `again_at` to look once more."""
    ledger, now = run.services.store.ledger, run.services.clock.now()
    entry = ledger.get(ledger_key(run))
    if entry is None:
        raise Fenced
    if entry.state is LedgerState.DONE and entry.remote_id:
        return {"sign_request": entry.remote_id}
    if entry.state is LedgerState.ABANDONED:
        return {"abandoned": True}
    if (found := _probe(run, entry)) is not None:
        return _settled(run, found)
    if entry.state is LedgerState.DOUBT:
        raise Held(_question(run))
    due = _due(entry)
    if now < due:
        return {"again_at": due.isoformat()}
    last = entry.probes + 1 >= len(PROBES_S)
    after = ledger.probed(entry.key, fence=entry.fence, at=now, doubt=last)
    if after is None:
        raise Fenced
    if last:
        question = _question(run)
        tell(
            run,
            run.work.subject["order_id"],
            LineKind.ATTENTION,
            question,
            once=f"doubt/{entry.fence}",
        )
        raise Held(question)
    return {"again_at": _due(after).isoformat()}


def require_ours(run: Run, sign_request_id: str, sign: BoxSign | None) -> None:
    """Of a request whose id a person gave: it is there, and no other order's.

    Else the doubt is the person's again: raises Held that says what is wrong with that id.
    """
    ledger, now = run.services.store.ledger, run.services.clock.now()
    entry = ledger.get(ledger_key(run))
    if entry is None or entry.probes < len(PROBES_S):
        return  # nobody was asked: the id is from Box itself
    known = run.services.store.sign_requests.get(sign_request_id)
    if sign is None:
        wrong = f"Box shows no sign request {sign_request_id}."
    elif sign.external_id not in (None, _external(run)):
        wrong = f"Sign request {sign_request_id} is for {sign.external_id}, not for this order."
    elif known is not None and known.order_id != run.work.subject["order_id"]:
        wrong = f"Sign request {sign_request_id} belongs to the order {known.order_id}."
    else:
        return
    ledger.disown(entry.key, remote_id=sign_request_id, at=now)
    raise Held(f"{wrong} {_question(run)}")


def wait(again_at: str) -> Outcome:
    """The run ends; another looks at Box then."""
    return Outcome.later(
        "Box did not say whether it took the sign request; Inkwire looks again before anything is "
        "sent twice.",
        at=datetime.fromisoformat(again_at),
    )


def row(run: Run, sign: BoxSign, *, order_id: str, signer: str) -> SignRequest:
    """The request as it is kept; read again after a quarter of an hour at the latest."""
    now = run.services.clock.now()
    return SignRequest(
        id=sign.id,
        integration_id=run.integration.id,
        order_id=order_id,
        external_id=sign.external_id or external_id(order_id, run.integration.id),
        state=SignState.OPEN,
        vendor_status=sign.status,
        work_id=run.work.id,
        file_ids=tuple(file.id for file in sign.files),
        signer_email=signer,
        next_check_at=now + timedelta(minutes=15),
        expires_at=sign.expires_at,
        created_at=now,
        updated_at=now,
    )


def with_field(order: Order, field: str, value: str, now: datetime) -> Order | None:
    """The order with that text in the field; None if it has it, or no field is set (R12)."""
    if order.fields.get(field) == value or not field:
        return None
    return replace(
        order,
        fields={**order.fields, field: value},
        version=order.version + 1,
        updated_at=now,
    )


def _probe(run: Run, entry: LedgerEntry) -> str | None:
    """The request at Box that bears our mark and that no order knows, the oldest one."""
    found = [sign for sign in _unknown(run) if fits(sign, entry)]
    if len(found) > 1:
        ids = ", ".join(sign.id for sign in found)
        text = f"Box holds {len(found)} sign requests of this order: {ids}. Cancel all but one."
        order_id = run.work.subject["order_id"]
        tell(run, order_id, LineKind.ATTENTION, text, once=f"several/{entry.fence}")
    oldest = min(found, key=lambda sign: (sign.created_at is None, sign.created_at), default=None)
    return oldest.id if oldest is not None else None


def _late(run: Run, entry: LedgerEntry) -> str | None:
    """Before a repeat: a request that came after all, and that the customer can sign or signed."""
    if entry.state is not LedgerState.REPEAT and entry.sends < 2:
        return None
    for sign in _unknown(run):
        state = state_of(sign.status)
        if state is SignState.OPEN or (state is SignState.SIGNED and fits(sign, entry)):
            return sign.id
    return None


def _unknown(run: Run) -> list[BoxSign]:
    """The requests at Box that bear our mark and that no order knows."""
    wanted = _external(run)
    found = [sign for sign in client(run).sign_requests() if sign.external_id == wanted]
    known = run.services.store.sign_requests.known([sign.id for sign in found])
    return [sign for sign in found if sign.id not in known]


def _is_out(run: Run, sign_request_id: str) -> bool:
    """Whether a request that no order knows yet can be signed at Box."""
    if run.services.store.sign_requests.get(sign_request_id) is not None:
        return False
    try:
        sign = client(run).sign_request(sign_request_id)
    except Permanent:
        return False  # no id of Box at all: a person gave it
    return sign is not None and state_of(sign.status) is SignState.OPEN


def _settled(run: Run, sign_request_id: str) -> dict[str, Any]:
    services = run.services
    entry = services.store.ledger.settle(
        ledger_key(run), remote_id=sign_request_id, at=services.clock.now()
    )
    return {"sign_request": entry.remote_id}


def _due(entry: LedgerEntry) -> datetime:
    sent = entry.sent_at or entry.updated_at
    return sent + timedelta(seconds=PROBES_S[min(entry.probes, len(PROBES_S) - 1)])


def _question(run: Run) -> str:
    return (
        "The connection broke while the sign request was sent, and Box shows none since. Look "
        f"into Box Sign for {_external(run)}: if it is there, give its id; if not, send it again."
    )


def _external(run: Run) -> str:
    return external_id(run.work.subject["order_id"], run.integration.id)


def _entry(run: Run) -> LedgerEntry:
    return LedgerEntry(
        key=ledger_key(run),
        kind="sign_request",
        integration_id=run.integration.id,
        work_id=run.work.id,
        entity_key=run.work.entity_key,
        state=LedgerState.INTENDED,
        fence=0,
        updated_at=run.services.clock.now(),
    )


def _draft(run: Run, order: Order, given: Chosen, folder: str, files: list[str]) -> SignDraft:
    if not order.customer.email:
        raise Permanent(
            f"Order {order.number} has no customer e-mail: add it to the order, then retry."
        )
    signers = [SignSigner(email=order.customer.email)]
    copy = given.final_copy_email
    if copy and copy.lower() != order.customer.email.lower():
        signers.append(SignSigner(email=copy, role="final_copy_reader"))
    return SignDraft(
        signers=tuple(signers),
        file_ids=tuple(files),
        folder_id=folder,
        external_id=_external(run),
        name=f"Order {order.number}",
        prefill=prefilled(order, given.prefill),
        days_valid=given.days_valid or None,
        email_subject=given.email_subject,
        email_message=given.email_message,
        redirect_url=given.redirect_url,
        declined_redirect_url=given.declined_redirect_url,
        reminders=given.reminders,
    )
