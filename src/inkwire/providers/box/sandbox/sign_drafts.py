"""Reads the body of POST /sign_requests and refuses what Box does (guides/box-sign)."""

import re
from typing import Any
from urllib.parse import urlsplit

from inkwire.providers.box.sandbox.answers import ref, text, wrong
from inkwire.providers.box.sandbox.shapes import ROOT
from inkwire.providers.sandboxing import Doc

ROLES = ("signer", "approver", "final_copy_reader")
_MOST_SIGNERS, _MOST_FILES, _MOST_DAYS = 35, 10, 730
_EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]+\.[^@\s<>.]+")
_COLOURS = ("blue", "black", "red")
#: Fields of the request that are kept and answered as they came.
TEXTS = (
    "external_id",
    "external_system_name",
    "name",
    "email_subject",
    "email_message",
    "redirect_url",
    "declined_redirect_url",
)
SWITCHES = {
    "is_document_preparation_needed": False,
    "are_text_signatures_enabled": True,
    "are_reminders_enabled": False,
}


def drafted(body: Doc) -> Doc:
    """The fields of a new sign request, checked. Raises BoxError 400."""
    draft: Doc = {name: text(body, name) for name in TEXTS}
    for name in ("redirect_url", "declined_redirect_url"):
        _check_url(draft[name], name)
    for name, default in SWITCHES.items():
        draft[name] = _switch(body, name, default=default)
    draft["signers"] = _signers(body.get("signers"))
    draft["source_files"] = _source_files(body)
    draft["folder"] = ref(body, "parent_folder")
    if draft["folder"] == ROOT:
        raise wrong("parent_folder.id", "The root folder cannot be the parent folder", ROOT)
    draft["prefill_tags"] = _prefill_tags(body.get("prefill_tags"))
    draft["days_valid"] = _days(body.get("days_valid"))
    colour = draft["signature_color"] = text(body, "signature_color")
    if colour is not None and colour not in _COLOURS:
        raise wrong("signature_color", f"Must be one of {', '.join(_COLOURS)}", colour)
    return draft


def _signers(given: Any) -> list[Doc]:
    if not isinstance(given, list) or not given:
        raise wrong("signers", "At least one signer is required")
    if len(given) > _MOST_SIGNERS:
        raise wrong("signers", f"At most {_MOST_SIGNERS} signers are allowed")
    signers = [_signer(one, f"signers[{index}]") for index, one in enumerate(given)]
    if all(signer["role"] == "final_copy_reader" for signer in signers):
        raise wrong("signers", "At least one signer or approver is required")
    return signers


def _signer(given: Any, at: str) -> Doc:
    if not isinstance(given, dict):
        raise wrong(at, "Expected an object")
    email = text(given, "email", required=True) or ""
    if not _EMAIL.fullmatch(email):
        raise wrong(f"{at}.email", "Invalid email", email)
    role = text(given, "role") or "signer"
    if role not in ROLES:
        raise wrong(f"{at}.role", f"Must be one of {', '.join(ROLES)}", role)
    order = given.get("order", 1)
    if order is None:
        order = 1
    if not isinstance(order, int) or isinstance(order, bool) or order < 0:
        raise wrong(f"{at}.order", "Must be a whole number from 0", order)
    phone, login = text(given, "verification_phone_number"), given.get("login_required")
    if phone is not None and login:
        raise wrong(f"{at}.login_required", "Not together with verification_phone_number")
    outside = text(given, "embed_url_external_user_id")
    if given.get("suppress_notifications") and outside is None:
        raise wrong(f"{at}.suppress_notifications", "Needs embed_url_external_user_id")
    signer: Doc = {
        "email": email,
        "role": role,
        "order": order,
        "is_in_person": _switch(given, "is_in_person", default=False),
        "embed_url_external_user_id": outside,
        "login_required": login,
        "verification_phone_number": phone,
        "suppress_notifications": bool(given.get("suppress_notifications")),
        "language": text(given, "language"),
    }
    for name in ("redirect_url", "declined_redirect_url"):
        signer[name] = text(given, name)
        _check_url(signer[name], f"{at}.{name}")
    return signer


def _source_files(body: Doc) -> list[str]:
    given = body.get("source_files")
    if not isinstance(given, list) or not given:
        raise wrong("source_files", "At least one source file is required")
    if len(given) > _MOST_FILES:
        raise wrong("source_files", f"At most {_MOST_FILES} source files are allowed")
    return [ref({"source_files": one}, "source_files") or "" for one in given]


def _prefill_tags(given: Any) -> list[Doc]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise wrong("prefill_tags", "Expected an array")
    tags = []
    for one in given:
        if not isinstance(one, dict):
            raise wrong("prefill_tags", "Expected objects")
        names = ("text_value", "checkbox_value", "date_value")
        values = {name: one[name] for name in names if one.get(name) is not None}
        tag = text(one, "document_tag_id", required=True)
        if len(values) > 1:
            raise wrong("prefill_tags", "A tag takes one value", tag)
        for name, value in values.items():
            if not isinstance(value, bool if name == "checkbox_value" else str):
                raise wrong(f"prefill_tags.{name}", "Wrong type", tag)
        tags.append({"document_tag_id": tag} | values)
    return tags


def _days(given: Any) -> int | None:
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= _MOST_DAYS:
        raise wrong("days_valid", f"Must be a whole number from 0 to {_MOST_DAYS}", given)
    return given


def _switch(given: Doc, name: str, *, default: bool) -> bool:
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise wrong(name, "Expected true or false")
    return value


def _check_url(given: str | None, at: str) -> None:
    if given is None:
        return
    try:
        parts = urlsplit(given)
    except ValueError:
        raise wrong(at, "Invalid URL", given) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong(at, "Invalid URL", given)
