"""The request run: an order that came into the trigger status is sent for signature (R1–R12)."""

from datetime import datetime
from functools import partial
from typing import Any

from inkwire.documents.proofs import run_item
from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Permanent, Transient
from inkwire.integrations.box_sign_orders import sending
from inkwire.integrations.box_sign_orders.external import external_id
from inkwire.integrations.box_sign_orders.folder import client, ensure_folder, ensure_webhook
from inkwire.integrations.box_sign_orders.names import pdf_name, with_number
from inkwire.integrations.box_sign_orders.settings import MAX_FILES, chosen
from inkwire.integrations.box_sign_orders.telling import apply_anew, tell
from inkwire.model.document import DocumentKind, EvidenceItem, SignRequest, SignState
from inkwire.model.order import LineKind, Order
from inkwire.providers.box.objects import NameTaken
from inkwire.store.ordering import OrderChange

#: Names tried for one file before a person is asked.
_NAMES = 20


async def request_signature(run: Run) -> Outcome:
    """PDFs of the templates, uploaded, in one sign request with the customer as signer."""
    look = await run.step("look", lambda: _look(run))
    if look["stop"]:
        return Outcome.done(look["stop"])
    if not look["sent"]:
        folder = await run.step(
            "folder",
            lambda: ensure_folder(run),
            plan=f"Find or make the folder “{chosen(run.integration).folder_name}” in Box",
            pretend="0",
        )
        if not look["watched"]:
            await run.step(
                "webhook",
                lambda: _watched(run, folder),
                plan="Make the webhook on the folder",
                pretend="",
            )
        files = []
        for template in chosen(run.integration).templates:
            made = await run.step(
                f"prepare:{template}",
                partial(_prepare, run, template),
                plan=f"Make the PDF of template {template}",
                pretend={"document": "", "name": f"{template}.pdf", "sha1": ""},
            )
            files.append(
                await run.step(
                    f"upload:{template}",
                    partial(_upload, run, folder, made),
                    plan=f"POST /files/content: {made['name']}",
                    pretend="0",
                )
            )
        sent = await run.step(
            "send",
            lambda: sending.send(run, folder, files, version=look["version"]),
            plan=f"POST /sign_requests: {external_id(_order_id(run), run.integration.id)}",
            pretend={"sign_request": "0", "again_at": "", "changed": False},
        )
    else:
        sent = await run.step(
            "find", lambda: sending.find(run), plan="Look at Box for the request", pretend={}
        )
    if sent.get("changed"):
        return Outcome.later("The order was edited meanwhile; made anew.", at=_now(run))
    if sent.get("again_at"):
        return sending.wait(sent["again_at"])
    if sent.get("abandoned"):
        return Outcome.done("Left unsent, as a person decided.")
    return Outcome.done(
        await run.step(
            "keep",
            lambda: _keep(run, sent["sign_request"]),
            plan="Write the sign request's id to the order",
            pretend="Sent for signature.",
        )
    )


def _look(run: Run) -> dict[str, Any]:
    """Whether there is anything to send; `stop` says why not."""
    services, given = run.services, chosen(run.integration)
    if sending.is_sent(run):
        return {"stop": "", "sent": True, "version": 0, "watched": True}
    order = services.orders.read(_order_id(run))
    if order is None:
        return _stop("The order was deleted; nothing was sent.")
    if order.status != given.trigger_status:
        return _stop(f"The order has moved on to {order.status}; nothing was sent.")
    for other in services.store.sign_requests.open_since(
        run.integration.id, order.id, [SignState.OPEN]
    ):
        note = f"Sign request {other.id} is out for this order already; nothing was sent."
        tell(run, order.id, LineKind.ACTED, note, once="open")
        return _stop(note)
    if note := sending.out_elsewhere(run):
        tell(run, order.id, LineKind.ATTENTION, note, once=f"elsewhere/{order.version}")
        return _stop(note)
    if not given.templates:
        note = "No template is chosen, so nothing was sent for signature."
        tell(run, order.id, LineKind.ACTED, note, once="no_templates")
        return _stop(note)
    if len(given.templates) > MAX_FILES:
        raise Permanent(f"Box takes at most {MAX_FILES} files; choose fewer templates, then retry.")
    if not order.customer.email:
        note = f"Order {order.number} has no customer e-mail: add it to the order, then retry."
        tell(run, order.id, LineKind.ATTENTION, note, once=f"no_email/{order.version}")
        raise Permanent(note)
    remote = services.store.integrations.get(run.integration.id).remote
    watched = bool(remote.get("webhook_id"))
    return {"stop": "", "sent": False, "version": order.version, "watched": watched}


def _watched(run: Run, folder: str) -> str:
    """The webhook before the first request, else a quick customer's outcome comes late.

    If that does not work, set-up says why, and the outcome is found by asking Box.
    """
    try:
        return ensure_webhook(run, folder)["did"]
    except Permanent as error:
        return error.message


def _prepare(run: Run, template_id: str) -> dict[str, str]:
    """One PDF, kept as a document of the order; the same data gives the same document."""
    services = run.services
    order = _order(run)
    rendered = services.templates.render(template_id, order)
    name = pdf_name(order.number, rendered.template.name)
    new = services.documents.keep(
        order_id=order.id,
        kind=DocumentKind.PREPARED,
        name=name,
        media_type="application/pdf",
        content=rendered.pdf,
        origin=f"{run.integration.label}/{run.work.key}/{template_id}.{rendered.version}/{order.version}",
    )
    document = new.document
    text = f"{name} was made from template “{rendered.template.name}” v{rendered.version}."
    services.orders.apply(
        OrderChange(
            order_id=order.id,
            once=f"prepared/{document.id}",
            documents=(new,),
            lines=(
                services.orders.line(
                    order.id,
                    LineKind.DOCUMENT,
                    text,
                    refs={"document": document.id, "work": run.work.id},
                ),
            ),
            evidence=(
                EvidenceItem(
                    kind="document",
                    text=text,
                    at=services.clock.now(),
                    facts={"document": document.id, "sha256": document.sha256},
                ),
            ),
        )
    )
    return {"document": document.id, "name": name, "sha1": document.sha1}


def _upload(run: Run, folder: str, made: dict[str, str]) -> str:
    """The file's id at Box; one that is there with the same content is the same file (R36)."""
    box, content = client(run), run.services.documents.content(made["document"])
    for number in range(1, _NAMES + 1):
        stored = box.upload(folder, with_number(made["name"], number), content)
        if not isinstance(stored, NameTaken):
            return stored.id
        there = box.file(stored.id) if stored.type == "file" else None
        if there is not None and there.sha1 == made["sha1"]:
            return there.id
    raise Permanent(
        f"{_NAMES} files called {made['name']} stand in the folder already; tidy it, then retry."
    )


def _keep(run: Run, sign_request_id: str) -> str:
    """The request's id in the order field, with line and evidence, once."""
    services = run.services
    sign = client(run).sign_request(sign_request_id)
    sending.require_ours(run, sign_request_id, sign)
    if sign is None:
        raise Transient(f"Box does not show sign request {sign_request_id} yet.")
    order = services.store.orders.get(_order_id(run))
    signer = sign.signer_emails[0] if sign.signer_emails else order.customer.email
    note = f"Sent to {signer} for signature: sign request {sign.id}."
    row = sending.row(run, sign, order_id=order.id, signer=signer)
    apply_anew(run, lambda: _kept(run, row, note))
    return note


def _kept(run: Run, row: SignRequest, note: str) -> OrderChange:
    services, now = run.services, run.services.clock.now()
    order = services.store.orders.get(row.order_id)
    # The customer may have been faster than we: an outcome that is kept is not opened again.
    known = services.store.sign_requests.get(row.id)
    gone = " The order was deleted meanwhile: cancel the request at Box."
    kind = LineKind.ACTED if order.deleted_at is None else LineKind.ATTENTION
    refs = {"sign_request": row.id, "work": run.work.id, "integration": run.integration.label}
    text = note if order.deleted_at is None else note + gone
    facts = {"sign_request": row.id, "external_id": row.external_id}
    return OrderChange(
        order_id=order.id,
        once=f"sent/{row.id}",
        order=sending.with_field(order, chosen(run.integration).order_field, row.id, now),
        lines=(services.orders.line(order.id, kind, text, refs=refs),),
        evidence=(
            EvidenceItem(kind="sign_request", text=note, at=now, facts=facts),
            run_item(services.store, run.work.id, at=now),
        ),
        sign_request=row if known is None or known.state is SignState.OPEN else None,
    )


def _order(run: Run) -> Order:
    order = run.services.orders.read(_order_id(run))
    if order is None:
        raise Permanent("The order was deleted; there is nothing to send any more.")
    return order


def _order_id(run: Run) -> str:
    return run.work.subject["order_id"]


def _now(run: Run) -> datetime:
    return run.services.clock.now()


def _stop(note: str) -> dict[str, Any]:
    return {"stop": note, "sent": False, "version": 0, "watched": True}
