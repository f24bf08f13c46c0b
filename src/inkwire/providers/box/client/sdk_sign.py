"""Sign requests and webhooks."""

from collections.abc import Iterator
from typing import Any

from box_sdk_gen.managers.webhooks import CreateWebhookTarget
from box_sdk_gen.schemas.file_base import FileBase
from box_sdk_gen.schemas.folder_mini import FolderMini
from box_sdk_gen.schemas.sign_request_create_signer import SignRequestCreateSigner
from box_sdk_gen.schemas.sign_request_prefill_tag import SignRequestPrefillTag

from inkwire.providers.box.client import reading
from inkwire.providers.box.client.parts import Part, checked_id, found, pages, unless
from inkwire.providers.box.objects import BoxSign, BoxWebhook, SignDraft, SignSigner

_PAGE = 1000


class SdkSign(Part):
    """Sign requests and webhooks."""

    def create_sign_request(self, draft: SignDraft) -> BoxSign:
        """POST /sign_requests, sent once."""
        answer = self._box.signs.create_sign_request(
            [_signer(one) for one in draft.signers],
            source_files=[FileBase(id=checked_id(one)) for one in draft.file_ids],
            parent_folder=FolderMini(id=checked_id(draft.folder_id)),
            external_id=draft.external_id,
            name=draft.name,
            prefill_tags=[
                SignRequestPrefillTag(document_tag_id=tag, text_value=value)
                for tag, value in draft.prefill.items()
            ]
            or None,
            days_valid=draft.days_valid,
            email_subject=draft.email_subject or None,
            email_message=draft.email_message or None,
            redirect_url=draft.redirect_url or None,
            declined_redirect_url=draft.declined_redirect_url or None,
            are_reminders_enabled=draft.reminders,
            is_document_preparation_needed=False,
        )
        return self._read(reading.sign, "POST /2.0/sign_requests", answer)

    def sign_request(self, sign_request_id: str) -> BoxSign | None:
        """GET /sign_requests/{id}; None for 404."""
        name = checked_id(sign_request_id)
        there = found(lambda: self._box.signs.get_sign_request_by_id(name))
        if there is None:
            return None
        return self._read(reading.sign, "GET /2.0/sign_requests/ID", there)

    def sign_requests(self, *, most: int = 10_000) -> Iterator[BoxSign]:
        """All sign requests of the calling user, page by page, as Box orders them."""
        limit = min(most, _PAGE)
        rows = pages(lambda marker: self._box.signs.get_sign_requests(marker=marker, limit=limit))
        for number, row in enumerate(rows, start=1):
            yield self._read(reading.sign, "GET /2.0/sign_requests", row)
            if number >= most:
                return

    def webhooks(self) -> Iterator[BoxWebhook]:
        """GET /webhooks: id and target only; address and triggers are empty."""
        rows = pages(lambda marker: self._box.webhooks.get_webhooks(marker=marker, limit=200))
        for row in rows:
            yield self._read(reading.webhook, "GET /2.0/webhooks", row)

    def webhook(self, webhook_id: str) -> BoxWebhook | None:
        """GET /webhooks/{id}; None for 404."""
        there = found(lambda: self._box.webhooks.get_webhook_by_id(checked_id(webhook_id)))
        return None if there is None else self._read(reading.webhook, "GET /2.0/webhooks/ID", there)

    def create_webhook(
        self, *, folder_id: str, address: str, triggers: tuple[str, ...]
    ) -> BoxWebhook | None:
        """POST /webhooks; None for 409 (one is there for this folder, application and user)."""
        target: Any = CreateWebhookTarget(id=checked_id(folder_id), type="folder")  # type: ignore[arg-type]
        names: Any = list(triggers)
        answer = unless({409}, lambda: self._box.webhooks.create_webhook(target, address, names))
        return None if answer is None else self._read(reading.webhook, "POST /2.0/webhooks", answer)

    def update_webhook(
        self, webhook_id: str, *, address: str, triggers: tuple[str, ...]
    ) -> BoxWebhook:
        """PUT /webhooks/{id}."""
        names: Any = list(triggers)
        done = self._box.webhooks.update_webhook_by_id(
            checked_id(webhook_id), address=address, triggers=names
        )
        return self._read(reading.webhook, "PUT /2.0/webhooks/ID", done)


def _signer(one: SignSigner) -> SignRequestCreateSigner:
    role: Any = one.role
    return SignRequestCreateSigner(
        email=one.email,
        role=role,
        order=one.order,
        redirect_url=one.redirect_url or None,
        declined_redirect_url=one.declined_redirect_url or None,
    )
