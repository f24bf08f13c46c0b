"""What tests of the sandbox share: the official SDK's client, a PDF, a folder."""

import io
import itertools
import json
from functools import cache

import box_sdk_gen as sdk
import pikepdf

_numbers = itertools.count(1)
COMPLETED, DECLINED, EXPIRED = (
    f"SIGN_REQUEST.{name}" for name in ("COMPLETED", "DECLINED", "EXPIRED")
)


def session(sandbox) -> sdk.NetworkSession:
    """A session of the SDK that talks to the sandbox; it tries each call once."""
    urls = sdk.BaseUrls(
        base_url=sandbox.url, upload_url=sandbox.url, oauth_2_url=f"{sandbox.url}/api/oauth2"
    )
    once = sdk.BoxRetryStrategy(max_attempts=1, max_retries_on_exception=0)
    return sdk.NetworkSession(base_urls=urls, retry_strategy=once)


def ccg_client(sandbox, app=None) -> sdk.BoxClient:
    """A client by client credentials, as the application's service account."""
    app = app or sandbox.box
    config = sdk.CCGConfig(
        client_id=app["client_id"],
        client_secret=app["client_secret"],
        enterprise_id=app["enterprise_id"],
    )
    return sdk.BoxClient(sdk.BoxCCGAuth(config), network_session=session(sandbox))


def jwt_client(sandbox, **changed) -> sdk.BoxClient:
    """A client by JWT, from the file that Box's console gives."""
    config = sdk.JWTConfig.from_config_json_string(json.dumps(sandbox.box["console_file"]))
    for name, value in changed.items():
        setattr(config, name, value)
    return sdk.BoxClient(sdk.BoxJWTAuth(config), network_session=session(sandbox))


@cache
def pdf() -> bytes:
    """A PDF of one page."""
    made, out = pikepdf.new(), io.BytesIO()
    made.add_blank_page()
    made.save(out)
    return out.getvalue()


def folder(client, name: str | None = None) -> str:
    """A new folder's id."""
    made = client.folders.create_folder(
        name or f"Folder {next(_numbers)}", sdk.CreateFolderParent(id="0")
    )
    return made.id


def upload(client, folder_id: str, name: str, content: bytes) -> sdk.FileFull:
    """A file, uploaded."""
    attributes = sdk.UploadFileAttributes(
        name=name, parent=sdk.UploadFileAttributesParentField(id=folder_id)
    )
    return client.uploads.upload_file(attributes, io.BytesIO(content)).entries[0]


def request_signature(client, folder_id, *, files=1, emails=("ann@example.com",), **more):
    """A sign request on new PDFs in the folder."""
    ids = [
        upload(client, folder_id, f"Contract {next(_numbers)}.pdf", pdf()).id for _ in range(files)
    ]
    return client.sign_requests.create_sign_request(
        [
            sdk.SignRequestCreateSigner(email=email, order=order)
            for order, email in enumerate(emails, 1)
        ],
        source_files=[sdk.FileBase(id=one) for one in ids],
        parent_folder=sdk.FolderMini(id=folder_id),
        **more,
    )


def webhook(client, folder_id, address, *triggers):
    """A webhook on the folder."""
    return client.webhooks.create_webhook(
        sdk.CreateWebhookTarget(id=folder_id, type=sdk.CreateWebhookTargetTypeField.FOLDER),
        address,
        [sdk.CreateWebhookTriggers(trigger) for trigger in triggers],
    )
