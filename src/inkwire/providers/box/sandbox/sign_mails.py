"""The mails that Box Sign sends, as the sandbox's inbox shows them: to, subject, text, link."""

import re

from inkwire.providers.sandboxing import Doc

_TAG = re.compile(r"<[^>]{0,200}>")
Mail = tuple[str, str, str, str]


def request(sign: Doc, signer: Doc, *, reminder: bool = False) -> Mail:
    """Asks a signer to sign, or an approver to approve."""
    subject = sign["email_subject"] or f"{sign['sender']} has requested your signature"
    message = _TAG.sub("", sign["email_message"] or "")
    verb = "approve" if signer["role"] == "approver" else "sign"
    text = f"{message}\n\nPlease review and {verb} “{sign['name']}”.".strip()
    head = "Reminder: " if reminder else ""
    return signer["email"], head + subject, text, f"/sign/{signer['token']}"


def copy(sign: Doc, signer: Doc) -> Mail:
    """Tells that everybody has signed, with a link to the documents."""
    text = f"Everybody has signed “{sign['name']}”. The documents and the signing log are here."
    return signer["email"], f"Completed: {sign['name']}", text, f"/sign/{signer['token']}"


def over(sign: Doc, signer: Doc, what: str) -> Mail:
    """Tells that nothing is to be signed any more."""
    return signer["email"], f"{sign['name']} {what}", f"“{sign['name']}” {what}.", ""
