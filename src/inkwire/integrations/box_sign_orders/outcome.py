"""The outcome run: what became of a sign request, brought home to its order (R23–R31).

It is started by a webhook or by reconciliation, and believes neither: the sign request is read
again, and what Box says now is what counts. So late, repeated and reordered events end the same.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from inkwire.documents.proofs import receipt_item
from inkwire.engine.contract import Outcome, Run
from inkwire.errors import NotFound
from inkwire.integrations.box_sign_orders import fetching
from inkwire.integrations.box_sign_orders.external import external_id, read_external
from inkwire.integrations.box_sign_orders.folder import client
from inkwire.integrations.box_sign_orders.sending import row
from inkwire.integrations.box_sign_orders.settings import chosen
from inkwire.integrations.box_sign_orders.states import state_of, words_for
from inkwire.integrations.box_sign_orders.telling import apply_anew, tell
from inkwire.model.document import DocumentKind, EvidenceItem, SignRequest, SignState
from inkwire.model.event import Origin
from inkwire.model.order import LineKind
from inkwire.providers.box.objects import BoxFile, BoxSign
from inkwire.store.ordering import OrderChange
from inkwire.store.sending import NewMessage

#: Seconds until a request that Box is still finishing is looked at again, by run number.
_AGAIN_S = (3, 5, 10, 30, 60, 300, 900)
#: Runs after which a person hears that Box does not finish: more than an hour.
_LATE = 12


async def bring_home(run: Run) -> Outcome:
    """Status, signed documents and signing log of one sign request."""
    read = await run.step("read", lambda: _read(run))
    if read["stop"]:
        return Outcome.done(read["stop"])
    if read["state"] == SignState.OPEN:
        if read["known"] and run.work.run_number > len(_AGAIN_S):
            return Outcome.done("Box does not confirm an outcome; the request is read on schedule.")
        return _later(run, f"Box says that the request is {read['vendor_status']}.")
    await run.step(
        "status",
        lambda: _status(run, read),
        plan=f"Bring the order home as {read['state']}",
        pretend="",
    )
    if read["state"] != SignState.SIGNED:
        return Outcome.done(read["note"])
    if not read["ready"]:
        if run.work.run_number >= _LATE:
            await run.step("tell", lambda: _tell_late(run, read))
        return _later(run, "Signed; Box is still finishing the documents.")
    for file in read["files"]:
        await run.step(
            f"fetch:{file['id']}",
            partial(fetching.fetch, run, read, file),
            plan=f"GET /files/{file['id']}/content, and keep it",
            pretend="",
        )
    note = await run.step(
        "finish",
        lambda: fetching.finish(run, read),
        plan="Tell subscribers: order.signed",
        pretend="",
    )
    return Outcome.done(note)


def _read(run: Run) -> dict[str, Any]:
    """What Box says now, and which order it is about."""
    store, sign_request_id = run.services.store, run.work.subject["sign_request_id"]
    known = store.sign_requests.get(sign_request_id)
    if known is not None and known.integration_id != run.integration.id:
        return _stop(f"This sign request belongs to int_{known.integration_id}.")
    sign = client(run).sign_request(sign_request_id)
    if sign is None:
        if known is None:
            return _stop("Box knows no such sign request, and neither do we.")
        if known.state is not SignState.OPEN:
            return _stop(f"Box no longer shows it; it stays {known.state}.")
        if run.work.origin is not Origin.RECONCILED:
            # It may only be hidden from us for a while; reconciliation judges that.
            return {**_about(known, None), "state": SignState.OPEN.value}
        return _about(known, None)
    joined = known or _joined(run, sign)
    if joined is None:
        return _stop(
            f"Its external id {sign.external_id!r} names no order of this integration; recorded, "
            "linked to nothing."
        )
    return {**_about(joined, sign), "known": known is not None}


def _tell_late(run: Run, read: dict[str, Any]) -> None:
    text = (
        "Everybody signed, but Box has not finished the documents for more than an hour. Inkwire "
        "goes on asking; look into Box Sign."
    )
    once = f"late/{run.work.subject['sign_request_id']}"
    tell(run, read["order_id"], LineKind.ATTENTION, text, once=once)


def _joined(run: Run, sign: BoxSign) -> SignRequest | None:
    """A request that we do not know, by its external id (R11)."""
    joined = read_external(sign.external_id)
    if joined is None or joined.integration_id != run.integration.id:
        return None
    try:
        order = run.services.store.orders.get(joined.order_id)
    except NotFound:
        return None
    signer = sign.signer_emails[0] if sign.signer_emails else order.customer.email
    return row(run, sign, order_id=order.id, signer=signer)


def _about(known: SignRequest, sign: BoxSign | None) -> dict[str, Any]:
    state = state_of(sign.status) if sign is not None else SignState.FAILED
    log = sign.signing_log if sign is not None else None
    files = [(file, DocumentKind.SIGNED) for file in sign.files] if sign is not None else []
    if log is not None:
        files.append((log, DocumentKind.SIGNING_LOG))
    reason = sign.reason if sign is not None else "Box no longer knows it"
    return {
        "stop": "",
        "known": True,
        "order_id": known.order_id,
        "state": state.value,
        "vendor_status": sign.status if sign is not None else "gone",
        "reason": reason,
        "note": words_for(state, reason),
        # Ready means all of it: a log that comes later would else be missed for good (C29).
        "ready": sign is not None and sign.ready and log is not None and bool(sign.files),
        "files": [_file(file, kind) for file, kind in files],
        "signers": list(sign.signer_emails) if sign is not None else [],
    }


def _file(file: BoxFile, kind: DocumentKind) -> dict[str, Any]:
    return {
        "id": file.id,
        "version_id": file.version_id,
        "name": file.name,
        "sha1": file.sha1,
        "kind": kind.value,
    }


def _status(run: Run, read: dict[str, Any]) -> str:
    """The order's new status, with line, evidence and message, once for each state."""
    apply_anew(run, lambda: _moved(run, read))
    return str(read["state"])


def _moved(run: Run, read: dict[str, Any]) -> OrderChange:
    services, state = run.services, SignState(read["state"])
    sign_id, now = run.work.subject["sign_request_id"], services.clock.now()
    order = services.store.orders.get(read["order_id"])
    known = services.store.sign_requests.get(sign_id) or _unknown(run, read)
    target, event = _target(run, state), {"event": run.work.event_id or ""}
    refs = {"sign_request": sign_id, "work": run.work.id, "integration": run.integration.label}
    refs |= {key: value for key, value in event.items() if value}
    change = OrderChange(order_id=order.id)
    if target and order.deleted_at is None:
        change = services.orders.moved(order, target, by=run.integration.label, refs=refs) or change
    text = read["note"]
    if run.work.origin is Origin.RECONCILED:
        text += " No webhook told of it; Inkwire asked Box (reconciled)."
    if change.order is None and target and order.status != target:
        text += f" The order stays {order.status}."
    usual = state in (SignState.SIGNED, SignState.DECLINED, SignState.EXPIRED)
    kind = LineKind.ACTED if usual else LineKind.ATTENTION
    facts = {
        "sign_request": sign_id,
        "box_status": read["vendor_status"],
        "signers": ", ".join(read["signers"]),
        **event,
    }
    return replace(
        change,
        once=f"{sign_id}/{state.value}",
        lines=(services.orders.line(order.id, kind, text, refs=refs), *change.lines),
        evidence=(
            *_webhook(run, now),
            EvidenceItem(kind="sign_request", text=text, at=now, facts=facts),
            *change.evidence,
        ),
        sign_request=_closed(known, state, read["vendor_status"], now),
        messages=(*change.messages, *_told(run, state, order.id, target or order.status)),
    )


def _webhook(run: Run, now: datetime) -> tuple[EvidenceItem, ...]:
    """The webhook that told of it, by its hash; none if it was found otherwise."""
    if run.work.event_id is None:
        return ()
    item = receipt_item(run.services.store, run.work.event_id, at=now)
    return () if item is None else (item,)


def _told(run: Run, state: SignState, order_id: str, status: str) -> tuple[NewMessage, ...]:
    """`order.declined` and `order.expired`; `order.signed` waits for its documents."""
    if state not in (SignState.DECLINED, SignState.EXPIRED):
        return ()
    return run.services.orders.messages(
        f"order.{state.value}",
        {
            "order_id": order_id,
            "integration": run.integration.label,
            "status": status,
            "sign_request_id": run.work.subject["sign_request_id"],
        },
    )


def _closed(known: SignRequest, state: SignState, vendor_status: str, now: datetime) -> SignRequest:
    return replace(
        known,
        state=state,
        vendor_status=vendor_status,
        # A signed one is looked at until its documents are here, whatever happens to this run.
        next_check_at=now + timedelta(hours=1) if state is SignState.SIGNED else None,
        updated_at=now,
    )


def _unknown(run: Run, read: dict[str, Any]) -> SignRequest:
    """The row of a request that we learned of from Box alone."""
    now = run.services.clock.now()
    return SignRequest(
        id=run.work.subject["sign_request_id"],
        integration_id=run.integration.id,
        order_id=read["order_id"],
        external_id=external_id(read["order_id"], run.integration.id),
        state=SignState.OPEN,
        vendor_status=read["vendor_status"],
        signer_email=read["signers"][0] if read["signers"] else "",
        created_at=now,
        updated_at=now,
    )


def _target(run: Run, state: SignState) -> str:
    given = chosen(run.integration)
    return {
        SignState.SIGNED: given.signed_status,
        SignState.DECLINED: given.declined_status,
        SignState.EXPIRED: given.expired_status,
    }.get(state, given.stopped_status)


def _later(run: Run, note: str) -> Outcome:
    wait = _AGAIN_S[min(run.work.run_number, len(_AGAIN_S)) - 1]
    return Outcome.later(note, at=run.services.clock.now() + timedelta(seconds=wait))


def _stop(note: str) -> dict[str, Any]:
    return {"stop": note}
