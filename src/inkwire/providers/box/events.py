"""What Box tells about: every trigger by name, and what an event is about. Pure tables.

Triggers are open strings (R99): one that is not listed here is kept and passed on all the same.
"""

from typing import Any

from inkwire.model.event import ParsedEvent, Term, TermKind
from inkwire.providers.payload import Terms, dig, entity_key, objects_at, text_at

PROVIDER = "box"
NO_ACTIVE_SESSION = "NO_ACTIVE_SESSION"
#: Box's root folder: every path starts with it, so it tells nothing.
_ROOT_FOLDER = "0"

#: Triggers that Box's API specification and its guides list (the spec at 2024.0, the guides of
#: October 2026). The two disagree on three names of Box Sign (C28): both spellings are here.
TRIGGERS: dict[str, str] = {
    "FILE.UPLOADED": "A file, or a new version of one, was uploaded or moved into the folder.",
    "FILE.PREVIEWED": "Somebody looked at a file.",
    "FILE.DOWNLOADED": "Somebody downloaded a file.",
    "FILE.TRASHED": "A file went to the trash.",
    "FILE.DELETED": "A file was removed from the trash for good.",
    "FILE.RESTORED": "A file came back from the trash.",
    "FILE.COPIED": "A file was copied.",
    "FILE.MOVED": "A file was moved to another folder.",
    "FILE.LOCKED": "A file was locked.",
    "FILE.UNLOCKED": "A file was unlocked.",
    "FILE.RENAMED": "A file got another name.",
    "COMMENT.CREATED": "Somebody commented on a file.",
    "COMMENT.UPDATED": "A comment was changed.",
    "COMMENT.DELETED": "A comment was removed.",
    "TASK_ASSIGNMENT.CREATED": "Somebody was given a task on a file.",
    "TASK_ASSIGNMENT.UPDATED": "A task on a file was answered or changed.",
    "METADATA_INSTANCE.CREATED": "A file or folder got a metadata template with values.",
    "METADATA_INSTANCE.UPDATED": "Metadata values of a file or folder were changed.",
    "METADATA_INSTANCE.DELETED": "A metadata template was taken off a file or folder.",
    "FOLDER.CREATED": "A folder was created.",
    "FOLDER.RENAMED": "A folder got another name.",
    "FOLDER.DOWNLOADED": "Somebody downloaded a folder.",
    "FOLDER.RESTORED": "A folder came back from the trash.",
    "FOLDER.DELETED": "A folder was removed from the trash for good.",
    "FOLDER.COPIED": "A folder was copied.",
    "FOLDER.MOVED": "A folder was moved to another folder.",
    "FOLDER.TRASHED": "A folder went to the trash.",
    "WEBHOOK.DELETED": "Box removed the webhook itself; nothing more comes until it is made again.",
    "COLLABORATION.CREATED": "Somebody was invited to a folder.",
    "COLLABORATION.ACCEPTED": "An invitation to a folder was accepted.",
    "COLLABORATION.REJECTED": "An invitation to a folder was declined.",
    "COLLABORATION.REMOVED": "Somebody lost access to a folder.",
    "COLLABORATION.UPDATED": "Somebody's role in a folder was changed.",
    "SHARED_LINK.CREATED": "A shared link was made.",
    "SHARED_LINK.UPDATED": "A shared link was changed.",
    "SHARED_LINK.DELETED": "A shared link was removed.",
    "SIGN_REQUEST.COMPLETED": "Everybody signed: the sign request is complete.",
    "SIGN_REQUEST.DECLINED": "A signer declined; the sign request is over.",
    "SIGN_REQUEST.EXPIRED": "The sign request ran out of time; it is over.",
    "SIGN_REQUEST.SIGNER_EMAIL_BOUNCED": "The signing mail to a signer came back.",
    "SIGN_REQUEST.SIGNER_SIGNED": "One signer signed (the guides' spelling).",
    "SIGN_REQUEST.SIGN_SIGNER_SIGNED": "One signer signed (the API specification's spelling).",
    "SIGN_REQUEST.SIGNATURE_REQUESTED": "A signer was asked to sign (the guides' spelling).",
    "SIGN_REQUEST.SIGN_DOCUMENT_CREATED": (
        "A signer was asked to sign (the API specification's spelling)."
    ),
    "SIGN_REQUEST.ERROR_FINALIZING": (
        "The signed document could not be finished (the guides' spelling)."
    ),
    "SIGN_REQUEST.SIGN_ERROR_FINALIZING": (
        "The signed document could not be finished (the API specification's spelling)."
    ),
    "DOCGEN_DOCUMENT_GENERATION_STARTED": "Box Doc Gen began to make a document.",
    "DOCGEN_DOCUMENT_GENERATION_SUCCEEDED": "Box Doc Gen made a document.",
    "DOCGEN_DOCUMENT_GENERATION_FAILED": "Box Doc Gen could not make a document.",
    NO_ACTIVE_SESSION: (
        "The session that made the webhook is dead: events come without content until the "
        "application is authorised again and the webhook made anew."
    ),
}
#: Trigger to event type, so that the usual ones cost one look-up.
TYPES = {trigger: f"{PROVIDER}.{trigger}" for trigger in TRIGGERS}
EVENT_TYPES = {TYPES[trigger]: sentence for trigger, sentence in TRIGGERS.items()}


def about(trigger: str, payload: dict[str, Any]) -> str | None:
    """The entity key of a delivery: `box:sign_request:ID`, `box:file:ID`, `box:webhook:ID`.

    The source of a Box Sign event is the file; the request stands in `additional_info`, which is
    an empty list when there is nothing in it (C27).
    """
    if trigger.startswith("SIGN_REQUEST."):
        request_id = text_at(payload, "additional_info", "sign_request_id")
        if request_id:
            return entity_key(PROVIDER, "sign_request", request_id)
    if trigger == NO_ACTIVE_SESSION or trigger.startswith("WEBHOOK."):
        return _webhook_key(payload) or _key(payload.get("source"))
    return _key(payload.get("source")) or _webhook_key(payload)


def document_ids(payload: dict[str, Any]) -> tuple[str, ...]:
    """Ids that a source can be limited to (R131): the item's, and those of the folders above it."""
    source = payload.get("source")
    found = {
        text_at(source, "id"): None,
        text_at(source, "parent", "id"): None,
        text_at(source, "item", "id"): None,
        text_at(payload, "additional_info", "sign_request_id"): None,
    }
    for folder in objects_at(source, "path_collection", "entries"):
        found[text_at(folder, "id")] = None
    return tuple(one for one in found if one and one != _ROOT_FOLDER)


def terms_of(event: ParsedEvent) -> tuple[Term, ...]:
    """Ids, names and e-mail addresses of the item, the people and the sign request."""
    payload = event.payload
    source, info = dig(payload, "source"), dig(payload, "additional_info")
    item = dig(source, "item")
    terms = Terms().add(TermKind.ENTITY, event.entity_key, _key(source), _key(item))
    for term in event.header_terms:
        terms.add(term.kind, term.value)
    terms.add(
        TermKind.ID,
        text_at(payload, "id"),
        text_at(info, "sign_request_id"),
        text_at(info, "external_id"),
        text_at(source, "id"),
        text_at(source, "parent", "id"),
        text_at(item, "id"),
        text_at(source, "file_version", "id"),
        text_at(payload, "webhook", "id"),
    )
    terms.add(TermKind.NAME, text_at(source, "name"), text_at(item, "name"))
    signers = dig(info, "signer_emails")
    if isinstance(signers, list):
        terms.add(TermKind.EMAIL, *(one for one in signers if isinstance(one, str)))
    people = [dig(payload, "created_by"), dig(source, "accessible_by")]
    people += [dig(source, role) for role in ("owned_by", "created_by", "modified_by")]
    for person in people:
        terms.add(TermKind.EMAIL, text_at(person, "login"))
        terms.add(TermKind.NAME, text_at(person, "name"))
    return terms.add(TermKind.EMAIL, text_at(source, "invite_email")).all()


def _key(item: Any) -> str | None:
    return entity_key(PROVIDER, text_at(item, "type"), text_at(item, "id"))


def _webhook_key(payload: dict[str, Any]) -> str | None:
    return entity_key(PROVIDER, "webhook", text_at(payload, "webhook", "id"))
