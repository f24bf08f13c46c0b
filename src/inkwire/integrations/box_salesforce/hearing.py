"""Which events start what. Pure: of an event only ids, names of people and its time.

Of Salesforce's it is only heard that something was saved: what is asked for again, and decides.
"""

from collections.abc import Callable, Mapping

from inkwire.engine.contract import EventHandler
from inkwire.integrations.box_salesforce.activity import VIEWS
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.box_salesforce.tree import OBJECTS
from inkwire.model.event import Event, ParsedEvent
from inkwire.model.work import Integration, IntegrationState
from inkwire.providers.payload import dig, text_at

#: What may bring a version to a record. FILE.VERSION.RESTORED is no trigger of Box's; it is here
#: because people know it by that name (R43).
FILES = frozenset(
    {
        "FILE.UPLOADED",
        "FILE.MOVED",
        "FILE.RESTORED",
        "FILE.VERSION.RESTORED",
        "FILE.LOCKED",
        "FILE.RENAMED",
        "FILE.COPIED",
    }
)
COLLABORATIONS = frozenset({"COLLABORATION.CREATED", "COLLABORATION.ACCEPTED"})
METADATA = frozenset(
    {"METADATA_INSTANCE.CREATED", "METADATA_INSTANCE.UPDATED", "METADATA_INSTANCE.DELETED"}
)
EXECUTED = frozenset({"SIGN_REQUEST.COMPLETED"})
#: Objects whose Outbound Messages are heard: those with folders, and what fields are often of.
SAVED = (*OBJECTS, "Contact", "Lead", "Case", "Contract", "Order", "Quote", "Asset", "Campaign")
#: Seconds in which messages make one poll, however many there are.
SAVED_S = 5
#: Longest name or address that is kept of a person.
_MOST = 200

Subject = Callable[[Integration, ParsedEvent], Mapping[str, str] | None]


def file_subject(_: Integration, parsed: ParsedEvent) -> Mapping[str, str] | None:
    """File, version and who; None for what is no file."""
    file_id = _of_type(parsed, "file")
    if not file_id:
        return None
    version = text_at(parsed.payload, "source", "file_version", "id")
    return _present(parsed, file_id=file_id, version_id=version)


def view_subject(integration: Integration, parsed: ParsedEvent) -> Mapping[str, str] | None:
    """File and viewer, if the settings want views."""
    given, file_id = chosen(integration), _of_type(parsed, "file")
    if not (given.log_activity and given.log_views and file_id):
        return None
    return _present(parsed, file_id=file_id)


def collaboration_subject(
    integration: Integration, parsed: ParsedEvent
) -> Mapping[str, str] | None:
    """Folder or file, who was given access, and as what."""
    if not chosen(integration).log_activity:
        return None
    source = dig(parsed.payload, "source")
    item = text_at(source, "item", "id")
    kind = text_at(source, "item", "type")
    if not item or kind not in ("file", "folder"):
        return None
    login = text_at(source, "accessible_by", "login") or text_at(source, "invite_email")
    name = text_at(source, "accessible_by", "name")  # a group has no login
    return _present(
        parsed,
        **{f"{kind}_id": item},
        collaborator=login or name,
        role=text_at(source, "role"),
        collaboration_id=text_at(source, "id"),
    )


def metadata_subject(integration: Integration, parsed: ParsedEvent) -> Mapping[str, str] | None:
    """The folder, if it is our template that changed on it."""
    template = text_at(parsed.payload, "additional_info", "template")
    folder_id = _of_type(parsed, "folder")
    if not folder_id or template not in (None, chosen(integration).mapping_template):
        return None
    return _present(parsed, folder_id=folder_id)


def executed_subject(_: Integration, parsed: ParsedEvent) -> Mapping[str, str] | None:
    """The sign request, and the file that the event came with."""
    sign_id = text_at(parsed.payload, "additional_info", "sign_request_id")
    file_id = _of_type(parsed, "file")
    if not sign_id or not file_id:
        return None
    version = text_at(parsed.payload, "source", "file_version", "id")
    return _present(parsed, file_id=file_id, version_id=version, sign_request_id=sign_id)


def saved_subject(integration: Integration, parsed: ParsedEvent) -> Mapping[str, str] | None:
    """Nothing but that it wakes, if records of that object are polled."""
    given, name = chosen(integration), text_at(parsed.payload, "object") or ""
    polled = (given.provision and name in OBJECTS) or given.mapped.of(name)
    return {} if polled else None


def handlers() -> tuple[EventHandler, ...]:
    """What is heard."""
    return (
        EventHandler(
            types=frozenset(f"salesforce.{name}.notified" for name in SAVED),
            workflow="poll_records",
            key=lambda event, _: event.id,
            entity=lambda event, _: event.entity_key or event.id,
            subject=_while_active(saved_subject),
            gather_s=SAVED_S,
        ),
        _handler(FILES, "sync_file", file_subject),
        _handler(VIEWS, "note_activity", view_subject),
        _handler(COLLABORATIONS, "note_activity", collaboration_subject, entity=_item),
        _handler(METADATA, "refresh_mapping", metadata_subject, entity=_item),
        _handler(
            EXECUTED,
            "contract_executed",
            executed_subject,
            # One sign request may be told of once for each of its files.
            key=lambda _, parsed: f"{_sign_request(parsed)}/COMPLETED",
            entity=lambda _, parsed: f"box:sign_request:{_sign_request(parsed)}",
        ),
    )


def _handler(
    triggers: frozenset[str],
    workflow: str,
    subject: Subject,
    *,
    key: Callable[[Event, ParsedEvent], str] = lambda event, _: event.id,
    entity: Callable[[Event, ParsedEvent], str] | None = None,
) -> EventHandler:
    return EventHandler(
        types=frozenset(f"box.{trigger}" for trigger in triggers),
        workflow=workflow,
        key=key,
        entity=entity or (lambda _, parsed: f"box:file:{_of_type(parsed, 'file')}"),
        subject=_while_active(subject),
    )


def _while_active(subject: Subject) -> Subject:
    """Nothing of what happens while an integration is inactive is its business."""

    def asked(integration: Integration, parsed: ParsedEvent) -> Mapping[str, str] | None:
        if integration.state is IntegrationState.INACTIVE:
            return None
        return subject(integration, parsed)

    return asked


def _present(parsed: ParsedEvent, **more: str | None) -> dict[str, str]:
    """What is known, without what is not."""
    actor = dig(parsed.payload, "created_by")
    found = {
        "trigger": parsed.type.removeprefix("box."),
        "actor": text_at(actor, "name") or text_at(actor, "login"),
        "actor_email": text_at(actor, "login"),
        "actor_id": text_at(actor, "id"),
        "at": parsed.occurred_at.isoformat() if parsed.occurred_at is not None else None,
        **more,
    }
    return {key: " ".join(text.split())[:_MOST] for key, text in found.items() if text}


def _of_type(parsed: ParsedEvent, kind: str) -> str:
    """The source's id, if it is of that type; "" if not."""
    source = dig(parsed.payload, "source")
    return (text_at(source, "id") or "") if text_at(source, "type") == kind else ""


def _item(_: Event, parsed: ParsedEvent) -> str:
    """The folder or file that a collaboration or metadata is on."""
    source = dig(parsed.payload, "source")
    item = dig(source, "item") or source
    return f"box:{text_at(item, 'type')}:{text_at(item, 'id')}"


def _sign_request(parsed: ParsedEvent) -> str:
    return text_at(parsed.payload, "additional_info", "sign_request_id") or ""
