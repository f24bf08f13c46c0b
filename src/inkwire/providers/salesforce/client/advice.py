"""What a person does about a refusal of Salesforce, by its code. Pure.

Refusals of single rows (RowResult) get their sentence here as well.
"""

from collections.abc import Sequence

_ACCESS = (
    "The connection's user may not do that there: give its permission set access to the object "
    "and its fields, and share the record with it; then retry."
)
_TYPE = (
    "The id is another object's, or nothing's: check the record's id in the mapping, then retry."
)
_FILES = frozenset({"ContentVersion", "ContentDocumentLink", "ContentDocument"})
_BY_CODE = {
    "REQUIRED_FIELD_MISSING": "Fill these fields in the integration's settings, or give them a "
    "default in Salesforce; then retry.",
    "MALFORMED_ID": _TYPE,
    "INVALID_ID_FIELD": _TYPE,
    "INVALID_CROSS_REFERENCE_KEY": "A record that this points to does not exist, or the "
    "connection's user cannot see it: check the ids in the mapping, then retry.",
    "FIELD_INTEGRITY_EXCEPTION": _TYPE,
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule of the organisation says no: satisfy "
    "it, or have its admin exempt the connection's user; then retry.",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "The picklist does not know the value: choose one "
    "that it has, or have the value added; then retry.",
    "INVALID_FIELD": "The object has no such field, or the connection's user may not see it: check "
    "the name and the field-level security, then retry.",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "The connection's user may not write the field: check the "
    "field-level security in its permission set, then retry.",
    "STRING_TOO_LONG": "The value is longer than the field: shorten it, or map it to a longer "
    "field; then retry.",
    "DUPLICATE_VALUE": "Such a record is there already.",
    "DUPLICATES_DETECTED": "A duplicate rule of the organisation found a similar record: map the "
    "folder to that one, or allow it in the rule; then retry.",
    "INVALID_TYPE": "There is no such object, or the connection's user may not see it: check the "
    "name and its permissions, then retry.",
    "MALFORMED_QUERY": "This is a mistake of Inkwire or of a name in its settings; check those.",
    "JSON_PARSER_ERROR": "A value is of a type that the field does not take: check the mapping.",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "A trigger or flow of the organisation, or the "
    "object itself, refuses it: ask its admin what the text means, then retry.",
    "INACTIVE_OWNER_OR_USER": "The owner is no active user: choose another, then retry.",
    "ENTITY_IS_DELETED": "The record was deleted: restore it, or map the folder anew.",
    "NOT_FOUND": "It does not exist, or the connection's user may not see it: check the name and "
    "its permissions.",
    "INVALID_REPLICATION_DATE": "The times do not fit: at most 30 days back, the start before the "
    "end.",
    "METHOD_NOT_ALLOWED": "The object does not allow this by the API.",
}


def advice(
    code: str,
    fields: Sequence[str] = (),
    message: str = "",
    object_name: str = "",
    status: int = 400,
) -> str:
    """One sentence or two.

    `code`, `fields`, `message`: of the refusal, each may be empty. `status`: of HTTP.
    """
    if object_name == "limits":
        return (
            "Grant the connection's user “View Setup and Configuration” to have the day's calls "
            "shown."
        )
    if object_name in _FILES and (said := _of_files(code, (*fields, message), object_name, status)):
        return said
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code.startswith("INSUFFICIENT_ACCESS"):
        return _ACCESS
    if status == 300:
        return "Several records have this key: make it unique in Salesforce, then retry."
    if status == 404:
        return _BY_CODE["NOT_FOUND"]
    if status in (413, 414, 431):
        return "It is more than Salesforce takes at once."
    return "Ask the organisation's admin what the text means, then retry."


def _of_files(code: str, texts: Sequence[str], object_name: str, status: int) -> str:
    """What is known of files (R78, R79); "" if it is nothing special."""
    if code == "FIELD_INTEGRITY_EXCEPTION":
        return (
            "The record's object does not support Files, or the id is another object's: check the "
            "id in the mapping, and that the object has the related list “Files” in its page "
            "layout (Setup → Object Manager); then retry."
        )
    if object_name != "ContentVersion" or status != 400:
        return ""
    named = " ".join(texts)
    if "PathOnClient" in named:
        return (
            "PathOnClient must be the file's name with its extension: give the file one in Box, "
            "then retry."
        )
    if "VersionData" in named or code == "JSON_PARSER_ERROR":
        return "VersionData, the file's bytes, did not arrive as they should; retry."
    if code in _BY_CODE or code.startswith("INSUFFICIENT_ACCESS"):
        return ""
    return (
        "Most likely it is PathOnClient, which must be the file's name with its extension: check "
        "the file's name in Box, then retry."
    )
