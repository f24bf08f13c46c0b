"""A file that is to be stored: its fields, and the bytes of a small one. Pure."""

from collections.abc import Iterable
from typing import Any

from inkwire.errors import Permanent
from inkwire.providers.salesforce.client.multipart import unbroken, wrong_size
from inkwire.providers.salesforce.ids import checked
from inkwire.providers.salesforce.objects import FileDraft
from inkwire.providers.salesforce.soql import name

#: Bytes of a file by multipart; of one that is held, so that it can be sent again after a 401.
MAX_FILE, HELD = 2 * 1024 * 1024 * 1024, 4 * 1024 * 1024
#: Of a ContentVersion, ours to say.
_OWN_FIELDS = frozenset({"versiondata", "contentdocumentid", "firstpublishlocationid"})


def entity(draft: FileDraft) -> dict[str, Any]:
    """The fields of the ContentVersion. Raises Permanent."""
    if not 0 <= draft.size <= MAX_FILE:
        raise Permanent(
            f"The file has {draft.size} bytes, and Salesforce takes files of up to 2 GB; leave it "
            "in Box."
        )
    if draft.publish_to and draft.document_id:
        raise Permanent("A new version of a document is published where the document is.")
    if clash := sorted(key for key in draft.fields if key.lower() in _OWN_FIELDS):
        raise Permanent(f"{', '.join(clash)} is set by Inkwire itself; take it out.")
    fields: dict[str, Any] = {
        **{name(key): value for key, value in draft.fields.items()},
        "Title": draft.title,
        "PathOnClient": draft.path_on_client,
    }
    if draft.description:
        fields["Description"] = draft.description
    if draft.publish_to:
        fields["FirstPublishLocationId"] = checked(draft.publish_to)
    if draft.document_id:
        fields["ContentDocumentId"] = checked(draft.document_id)
        if draft.reason:
            fields["ReasonForChange"] = draft.reason
    return fields


def held(size: int, content: Iterable[bytes]) -> bytes:
    """The content of a small file. Raises Transient if it is of another size."""
    data = bytearray()
    for piece in unbroken(content):
        data += piece
        if len(data) > size:
            raise wrong_size(size, f"more than {size}")
    if len(data) < size:
        raise wrong_size(size, f"only {len(data)}")
    return bytes(data)
