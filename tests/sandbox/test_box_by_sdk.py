"""The sandbox's Box is judged by Box's own client, and its signatures by pyHanko."""

import hashlib
import io
import os

import box_sdk_gen as sdk
import pytest
from pyhanko.keys.pemder import load_certs_from_pemder_data
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from fakes.sandbox import until
from sandbox.kit import (
    COMPLETED,
    DECLINED,
    EXPIRED,
    ccg_client,
    folder,
    jwt_client,
    pdf,
    request_signature,
    upload,
    webhook,
)


@pytest.fixture
def client(sandbox):
    """By client credentials, with a token of its own: some tests let a day pass."""
    return ccg_client(sandbox)


def refused(status, code=None):
    """Expects Box's refusal."""
    return pytest.raises(
        sdk.BoxAPIError,
        check=lambda error: (
            error.response_info.status_code == status and code in (None, error.response_info.code)
        ),
    )


def wait_for(client, sign_request_id, status):
    """The request once it has come to that status."""

    def there():
        found = client.sign_requests.get_sign_request_by_id(sign_request_id)
        return found if found.status == status else None

    return until(there)


def test_jwt_and_client_credentials_give_the_service_account(sandbox, client):
    """Both ways of server authentication work with the SDK as it is shipped."""
    by_jwt = jwt_client(sandbox).users.get_user_me()
    by_credentials = client.users.get_user_me()
    assert by_jwt.id == by_credentials.id == sandbox.box["service_account_id"]
    other = client.with_as_user_header("30000000002").users.get_user_me()
    assert other.login == "sam.sales@example.com"


def test_folders_and_files_conflict_in_boxs_two_shapes(client):
    """A taken name answers with an array for folders and an object for files."""
    parent = folder(client, "Sign Requests 😀 ä")
    with refused(409, "item_name_in_use") as caught:
        folder(client, "sign requests 😀 Ä")
    (conflict,) = caught.value.response_info.context_info["conflicts"]
    assert conflict["id"] == parent
    file = upload(client, parent, "a.pdf", pdf())
    assert file.sha_1 == hashlib.sha1(pdf()).hexdigest()
    with refused(409, "item_name_in_use") as caught:
        upload(client, parent, "A.pdf", b"other")
    assert caught.value.response_info.context_info["conflicts"]["id"] == file.id
    for name in ("a/b", " a", "a.", "..", "x" * 256, ""):
        if name != "a.":
            with refused(400):
                upload(client, parent, name, b"x")


def test_versions_and_downloads(client):
    """Each version stays readable under its id; the etag guards against lost updates."""
    parent = folder(client)
    file = upload(client, parent, "a.bin", b"one")
    attributes = sdk.UploadFileVersionAttributes(name="a.bin")
    second = client.uploads.upload_file_version(
        file.id, attributes, io.BytesIO(b"two"), if_match=file.etag
    ).entries[0]
    with refused(412):
        client.uploads.upload_file_version(
            file.id, attributes, io.BytesIO(b"three"), if_match=file.etag
        )
    assert client.downloads.download_file(file.id).read() == b"two"
    first = client.downloads.download_file(file.id, version=file.file_version.id).read()
    assert first == b"one"
    assert second.file_version.id != file.file_version.id
    client.folders.delete_folder_by_id(parent, recursive=True)
    with refused(404, "trashed"):
        client.files.get_file_by_id(file.id)
    with refused(404, "trashed"):
        client.folders.get_folder_by_id(parent)


def test_a_large_file_goes_up_in_parts(client):
    """The SDK's own chunked upload comes to the same bytes."""
    content = os.urandom(1024) * 20_000
    made = client.chunked_uploads.upload_big_file(
        io.BytesIO(content), "large.bin", len(content), folder(client)
    )
    assert made.sha_1 == hashlib.sha1(content).hexdigest()
    assert client.downloads.download_file(made.id).read() == content


def test_webhooks_are_one_a_target_and_listed_as_minis(client, receiver):
    """409 for a second one; the list hides address and triggers; pages by marker."""
    places = [folder(client) for _ in range(3)]
    made = [webhook(client, place, receiver.url, COMPLETED) for place in places]
    with refused(409):
        webhook(client, places[0], receiver.url, DECLINED)
    page, marker, seen = None, None, []
    while page is None or marker:
        page = client.webhooks.get_webhooks(limit=2, marker=marker)
        marker = page.next_marker
        seen += page.entries
    assert {one.id for one in made} <= {one.id for one in seen}
    assert not any("address" in one.to_dict() for one in seen)
    updated = client.webhooks.update_webhook_by_id(
        made[0].id,
        address="https://hooks.example.com/in/box",
        triggers=[sdk.UpdateWebhookByIdTriggers(DECLINED)],
    )
    assert updated.address == "https://hooks.example.com/in/box"
    assert client.webhooks.get_webhook_by_id(made[0].id).triggers == [DECLINED]
    for place, address in (
        ("0", receiver.url),
        (folder(client), "http://hooks.example.com/"),
        (folder(client), "https://hooks.example.com:8443/"),
        (folder(client), "https://app.box.com/"),
    ):
        with refused(400):
            webhook(client, place, address, COMPLETED)


def test_a_request_is_signed_and_everybody_can_check_it(sandbox, client, receiver):
    """From create to a PDF that pyHanko trusts, and a webhook that the SDK accepts."""
    place = folder(client, "Ängström & Söhne 😀")
    webhook(client, place, receiver.url, COMPLETED, "FILE.UPLOADED")
    made = request_signature(
        client,
        place,
        emails=("ann@example.com", "Bob@example.com"),
        external_id="ord_1:int_7",
        name="Ängström & Söhne 😀",
        prefill_tags=[sdk.SignRequestPrefillTag(document_tag_id="name", text_value="Ann")],
    )
    assert made.status == "converting"
    sent = wait_for(client, made.id, "sent")
    (sign_file,) = sent.sign_files.files
    assert sandbox.mails()[0]["to"] == "ann@example.com"
    assert sandbox.mails("bob@example.com") == []
    assert sandbox.sign(made.id, signer="ann@example.com")["status"] == "viewed"
    sandbox.sign(made.id, ready_after_s=60, name="100 % Bob 😀")
    signed = wait_for(client, made.id, "signed")
    assert signed.sign_files.is_ready_for_download is False
    assert signed.signing_log is None
    sandbox.advance(61)
    until(lambda: client.sign_requests.get_sign_request_by_id(made.id).signing_log)
    signed = client.sign_requests.get_sign_request_by_id(made.id)
    file = client.files.get_file_by_id(signed.sign_files.files[0].id)
    content = client.downloads.download_file(file.id).read()
    assert content.startswith(pdf())
    assert hashlib.sha1(content).hexdigest() == file.sha_1
    assert file.file_version.id != sign_file.file_version.id
    assert_trusted(sandbox, content, ["Signed in the sandbox", "100 % Bob 😀"])
    log = client.downloads.download_file(signed.signing_log.id).read()
    assert log.startswith(b"%PDF-")
    until(lambda: COMPLETED in receiver.triggers())
    headers, body = next(got for got in receiver.got if COMPLETED.encode() in got[1])
    event = receiver.bodies()[receiver.triggers().index(COMPLETED)]
    assert event["source"]["id"] == file.id
    assert event["source"]["parent"]["id"] == place
    assert event["additional_info"] == {
        "sign_request_id": made.id,
        "signer_emails": ["ann@example.com", "Bob@example.com"],
        "external_id": "ord_1:int_7",
    }
    assert b"\\u00c4ngstr\\u00f6m & S\\u00f6hne \\ud83d\\ude00" in body
    assert body.isascii()
    lower = {name.lower(): value for name, value in headers.items()}
    for keys in ((sandbox.box["primary_key"], None), ("wrong", sandbox.box["secondary_key"])):
        assert sdk.WebhooksManager.validate_message(
            body.decode(), lower, keys[0], secondary_key=keys[1]
        )


def assert_trusted(sandbox, content, names):
    """pyHanko finds each signature whole and by the sandbox's authority."""
    root = sandbox.session.get(f"{sandbox.url}/_sandbox/authority.pem", timeout=60).content
    (authority,) = load_certs_from_pemder_data(root)
    context = ValidationContext(trust_roots=[authority])
    signatures = PdfFileReader(io.BytesIO(content)).embedded_signatures
    assert [str(one.sig_object["/Name"]) for one in signatures] == names
    for signature in signatures:
        verdict = validate_pdf_signature(signature, context)
        assert verdict.bottom_line, verdict.pretty_print_details()


def test_declined_expired_and_cancelled_requests(sandbox, client, receiver):
    """Each end has its status and its webhook; cancelling has none."""
    place = folder(client)
    webhook(client, place, receiver.url, COMPLETED, DECLINED, EXPIRED)
    declined, expired, cancelled = (
        request_signature(client, place, days_valid=days) for days in (None, 3, None)
    )
    for one in (declined, expired, cancelled):
        wait_for(client, one.id, "sent")
    sandbox.sign(declined.id, "decline", reason="too dear")
    found = client.sign_requests.get_sign_request_by_id(declined.id)
    (signer,) = [one for one in found.signers if one.role == "signer"]
    assert (found.status, signer.signer_decision.additional_info) == ("declined", "too dear")
    assert client.sign_requests.cancel_sign_request(cancelled.id).status == "cancelled"
    with refused(400):
        client.sign_requests.cancel_sign_request(declined.id)
    sandbox.advance(3 * 86_400 + 1)
    wait_for(ccg_client(sandbox), expired.id, "expired")
    until(lambda: sorted(receiver.triggers()) == [DECLINED, EXPIRED])


def test_requests_are_listed_newest_first_by_marker(client):
    """A walk by marker finds every request of the caller once."""
    place = folder(client)
    made = [request_signature(client, place).id for _ in range(3)]
    seen, marker = [], None
    while True:
        page = client.sign_requests.get_sign_requests(limit=2, marker=marker)
        seen += [one.id for one in page.entries]
        marker = page.next_marker
        if not marker:
            break
    assert seen[:3] == made[::-1]
    assert len(set(seen)) == len(seen)


def test_resend_waits_ten_minutes(sandbox, client):
    """400 within ten minutes of the last mail, 202 after."""
    made = wait_for(client, request_signature(client, folder(client)).id, "sent")
    with refused(400):
        client.sign_requests.resend_sign_request(made.id)
    before = len(sandbox.mails("ann@example.com"))
    sandbox.advance(601)
    client.sign_requests.resend_sign_request(made.id)
    assert len(sandbox.mails("ann@example.com")) == before + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"signers": []},
        {"signers": [{"email": f"s{n}@example.com"} for n in range(36)]},
        {"signers": [{"email": "ann@example.com", "role": "cc"}]},
        {"signers": [{"email": "no address"}]},
        {"signers": [{"email": "a@example.com", "order": -1}]},
        {"signers": None},
        {"source_files": []},
        {"source_files": [{"id": "1", "type": "file"}] * 11},
        {"days_valid": 731},
        {"days_valid": "3"},
        {"parent_folder": {"id": "0", "type": "folder"}},
        {"redirect_url": "javascript:alert(1)"},
        {"prefill_tags": [{"text_value": "x"}]},
    ],
    ids=str,
)
def test_what_box_sign_refuses(sandbox, client, wrong):
    """400, and no request is made."""
    place = folder(client)
    file = upload(client, place, "a.pdf", pdf())
    body = {
        "signers": [{"email": "ann@example.com"}],
        "source_files": [{"id": file.id, "type": "file"}],
        "parent_folder": {"id": place, "type": "folder"},
    } | wrong
    before = len(sandbox.sign_requests())
    with refused(400):
        client.make_request(
            sdk.FetchOptions(
                url=f"{sandbox.url}/2.0/sign_requests",
                method="POST",
                data=body,
                auth=client.auth,
                network_session=client.network_session,
            )
        )
    assert len(sandbox.sign_requests()) == before


def test_a_broken_document_ends_in_error_converting(client):
    """What is no PDF is found out when it is converted."""
    place = folder(client)
    file = upload(client, place, "broken.pdf", b"%PDF-1.7 and nothing more")
    made = client.sign_requests.create_sign_request(
        [sdk.SignRequestCreateSigner(email="ann@example.com")],
        source_files=[sdk.FileBase(id=file.id)],
        parent_folder=sdk.FolderMini(id=place),
    )
    assert wait_for(client, made.id, "error_converting").error_code
