"""What can be read off a sign request: whose turn it is, what was filled in. Pure."""

from typing import Any

from inkwire.providers.sandboxing import Doc


def decides(signer: Doc) -> bool:
    """Whether this signer signs or approves, and is not only told of the outcome."""
    return bool(signer["role"] != "final_copy_reader")


def current(sign: Doc) -> list[Doc]:
    """Those who have not decided and whose turn it is: the lowest order."""
    open_ = [one for one in sign["signers"] if decides(one) and one["signer_decision"] is None]
    if not open_:
        return []
    first = min(one["order"] for one in open_)
    return [one for one in open_ if one["order"] == first]


def input_of(tag: Doc) -> dict[str, Any]:
    """A tag that was filled in, as a signer's input."""
    kind = "checkbox" if "checkbox_value" in tag else "date" if "date_value" in tag else "text"
    return tag | {"type": kind, "content_type": kind, "page_index": 0, "read_only": False}


def values_of(sign: Doc) -> list[tuple[str, str]]:
    """Tags that were filled in, with what."""
    return [
        (tag["document_tag_id"], str(value))
        for tag in sign["prefill_tags"]
        for name, value in tag.items()
        if name != "document_tag_id"
    ]


def plain_name(name: str) -> str:
    """A name that the tree takes."""
    kept = "".join(sign for sign in name if sign.isprintable() and sign not in "/\\")
    return kept.strip() or "Signing Log.pdf"
