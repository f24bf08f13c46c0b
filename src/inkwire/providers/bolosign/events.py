"""What BoloSign tells about: its events by name, and what each is about (seed 003). Pure.

Names are open strings: one that is not listed here is kept and passed on all the same. So are
members that nobody knows, such as `contact_field(page1)[Manager]` (R124).
"""

from datetime import datetime
from typing import Any

from inkwire.model.event import ParsedEvent, Term, TermKind
from inkwire.providers.payload import Terms, dig, entity_key, event_type, objects_at, text_at
from inkwire.providers.signing import parse_rfc3339

PROVIDER = "bolosign"

#: The seven values of `webhookEvent` (R107).
EVENTS: dict[str, str] = {
    "new_form_response": "Somebody filled in and sent a form.",
    "new_signature_pdf_individual_viewed": "One signer opened a PDF document.",
    "new_signature_pdf_individual_signed": "One signer signed a PDF document.",
    "new_signature_pdf_completed": (
        "A signature of a PDF document was completed; `signers` tells whether all have signed."
    ),
    "new_template_response_individual_viewed": "One signer opened a document made by a template.",
    "new_template_response_individual_signed": "One signer signed a document made by a template.",
    "new_template_response": (
        "A document made by a template got a response; `signers` tells who has signed."
    ),
}
EVENT_TYPES = {f"{PROVIDER}.{name}": sentence for name, sentence in EVENTS.items()}

#: Where a signer stands besides `signers`, and the member that says when it happened (R127).
_ACTS = {"viewedBy": "viewedAt", "signedBy": "signedAt"}


def type_of(payload: Any) -> str:
    """The event type. Without `webhookEvent` it is inferred where one documented form fits."""
    name = dig(payload, "webhookEvent")
    if name is None:
        name = _inferred(payload)
    return event_type(PROVIDER, name if isinstance(name, str) else None)


def _inferred(payload: Any) -> str | None:
    """The name that an element without one can only have; None if that is not certain (R111).

    The vendor's own example of a request lacks the name. Each documented form is told by its
    members: a form response has its id; a signer of a PDF document has an IP address, one of a
    template a role; and the act, or the finished PDF, says what happened.
    """
    if text_at(payload, "formResponseId"):
        return "new_form_response"
    signers = [*objects_at(payload, "signers"), *(dig(payload, act) for act in _ACTS)]
    of_pdf = any(text_at(one, "signerIp") for one in signers)
    of_template = any(text_at(one, "roleTitle") or text_at(one, "signerId") for one in signers)
    if of_pdf == of_template or not text_at(payload, "documentId"):
        return None
    acts = [act for act in _ACTS if isinstance(dig(payload, act), dict)]
    if len(acts) == 1:
        act = "viewed" if acts == ["viewedBy"] else "signed"
        kind = "new_template_response" if of_template else "new_signature_pdf"
        return f"{kind}_individual_{act}"
    if acts or not text_at(payload, "finishedPdfUrl"):
        return None
    return "new_template_response" if of_template else "new_signature_pdf_completed"


def about(payload: Any) -> str | None:
    """The entity key: `bolosign:document:ID` or `bolosign:form_response:ID`."""
    return entity_key(PROVIDER, "document", text_at(payload, "documentId")) or entity_key(
        PROVIDER, "form_response", text_at(payload, "formResponseId")
    )


def document_ids(payload: Any) -> tuple[str, ...]:
    """What a source can be limited to (R131): a document, a form, or one response to a form."""
    ids = (text_at(payload, key) for key in ("documentId", "formId", "formResponseId"))
    return tuple(one for one in ids if one)


def occurred_at(payload: Any) -> datetime | None:
    """When a signer viewed or signed; None for the events that carry no time."""
    for act, at in _ACTS.items():
        moment = text_at(payload, act, at)
        if moment:
            return parse_rfc3339(moment)
    return None


def terms_of(event: ParsedEvent) -> tuple[Term, ...]:
    """Ids and names of the document or form, and of the people; e-mails as they come (R132)."""
    payload = event.payload
    terms = Terms().add(TermKind.ENTITY, event.entity_key)
    terms.add(TermKind.ID, *document_ids(payload))
    terms.add(TermKind.NAME, text_at(payload, "documentName"), text_at(payload, "formTitle"))
    terms.add(TermKind.EMAIL, text_at(payload, "authorEmail"), text_at(payload, "respondentEmail"))
    for person in (*objects_at(payload, "signers"), *(dig(payload, act) for act in _ACTS)):
        terms.add(TermKind.EMAIL, text_at(person, "email"))
        terms.add(TermKind.NAME, text_at(person, "name"))
        terms.add(TermKind.ID, text_at(person, "signerId"))
    return terms.all()
