"""The sign request itself: sent once, and in doubt never again without a person (R36, DESIGN §6).

Box knows no idempotency key, and a second request is a second mail to a customer. So the ledger
notes the sending before it happens; whoever finds it noted looks at Box instead of sending.
"""

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
from inkwire.integrations.box_sign_orders.telling import tell
from inkwire.model.document import SignRequest, SignState
from inkwire.model.order import LineKind, Order
from inkwire.model.work import LedgerEntry, LedgerState
from inkwire.providers.box.objects import BoxSign, SignDraft, SignSigner

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


def send(run: Run, folder: str, files: list[str], *, version: int) -> dict[str, Any]:
    """Sends the request unless it was sent. `changed`: the order is another by now.

    Raises Fenced if another worker was faster, Held if a person must decide, and what Box says.
    """
    services = run.services
    entry = services.store.ledger.intend(_entry(run))
    if entry.state in _SENT:
        return find(run)
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


def _probe(run: Run, entry: LedgerEntry) -> str | None:
    """The request at Box that bears our mark and that no order knows, the oldest one."""
    wanted, since = _external(run), (entry.sent_at or entry.updated_at) - _SKEW
    found = [
        sign
        for sign in client(run).sign_requests()
        if sign.external_id == wanted and (sign.created_at is None or sign.created_at >= since)
    ]
    known = run.services.store.sign_requests.known([sign.id for sign in found])
    found = [sign for sign in found if sign.id not in known]
    if len(found) > 1:
        ids = ", ".join(sign.id for sign in found)
        text = f"Box holds {len(found)} sign requests of this order: {ids}. Cancel all but one."
        order_id = run.work.subject["order_id"]
        tell(run, order_id, LineKind.ATTENTION, text, once=f"several/{entry.fence}")
    oldest = min(found, key=lambda sign: (sign.created_at is None, sign.created_at), default=None)
    return oldest.id if oldest is not None else None


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
