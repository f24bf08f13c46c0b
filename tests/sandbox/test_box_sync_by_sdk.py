"""What keeps folders in step, judged by Box's own client: metadata, access, versions, events."""

import hashlib
import io

import box_sdk_gen as sdk
import pytest

from fakes.sandbox import until
from sandbox.kit import ccg_client, folder, session, upload

SAM, ADA = "30000000002", "30000000001"
SAMS = "sam.sales@example.com"
LOCK = sdk.UpdateFileByIdLock(access=sdk.UpdateFileByIdLockAccessField.LOCK)
ENTERPRISE = {
    "get": sdk.GetFolderMetadataByIdScope.ENTERPRISE,
    "create": sdk.CreateFolderMetadataByIdScope.ENTERPRISE,
    "update": sdk.UpdateFolderMetadataByIdScope.ENTERPRISE,
    "delete": sdk.DeleteFolderMetadataByIdScope.ENTERPRISE,
}


@pytest.fixture
def client(sandbox):
    """As the service account."""
    return ccg_client(sandbox)


@pytest.fixture
def sam(client):
    """As a person of the enterprise."""
    return client.with_as_user_header(SAM)


@pytest.fixture(scope="session")
def template(sandbox):
    """A template with two texts and a choice, made by the admin."""
    text = sdk.CreateMetadataTemplateFieldsTypeField.STRING
    choice = sdk.CreateMetadataTemplateFieldsTypeField.ENUM
    options = [sdk.CreateMetadataTemplateFieldsOptionsField(key=key) for key in ("low", "high")]
    fields = [
        sdk.CreateMetadataTemplateFields(text, "opportunity_id", "Opportunity"),
        sdk.CreateMetadataTemplateFields(text, "note", "Note"),
        sdk.CreateMetadataTemplateFields(choice, "tier", "Tier", options=options),
    ]
    admin = ccg_client(sandbox).with_as_user_header(ADA)
    made = admin.metadata_templates.create_metadata_template(
        "enterprise", "Salesforce mapping", template_key="mapping", fields=fields
    )
    assert made.scope == f"enterprise_{sandbox.box['enterprise_id']}"
    return "mapping"


def refused(status, code=None):
    """Expects Box's refusal."""
    return pytest.raises(
        sdk.BoxAPIError,
        check=lambda error: (
            error.response_info.status_code == status and code in (None, error.response_info.code)
        ),
    )


def share(client, folder_id, login=SAMS, role="editor", **more):
    """Lets somebody into a folder."""
    return client.user_collaborations.create_collaboration(
        sdk.CreateCollaborationItem(type=sdk.CreateCollaborationItemTypeField.FOLDER, id=folder_id),
        sdk.CreateCollaborationAccessibleBy(
            sdk.CreateCollaborationAccessibleByTypeField.USER, login=login
        ),
        sdk.CreateCollaborationRole(role),
        **more,
    )


def inside(client, parent, name):
    """A new folder in another."""
    return client.folders.create_folder(name, sdk.CreateFolderParent(id=parent)).id


def names(client, folder_id):
    """What a folder holds."""
    return {one.name for one in client.folders.get_folder_items(folder_id, limit=1000).entries}


def patch(*operations):
    """A JSON patch."""
    op = sdk.UpdateFolderMetadataByIdRequestBodyOpField
    return [
        sdk.UpdateFolderMetadataByIdRequestBody(op=op(kind), path=path, value=value)
        for kind, path, value in operations
    ]


def hook(client, folder_id, receiver, *triggers):
    """A webhook on a folder."""
    client.webhooks.create_webhook(
        sdk.CreateWebhookTarget(id=folder_id, type=sdk.CreateWebhookTargetTypeField.FOLDER),
        receiver.url,
        [sdk.CreateWebhookTriggers(trigger) for trigger in triggers],
    )


def told(receiver, count):
    """The events that came, once there are so many."""
    until(lambda: len(receiver.got) >= count)
    return receiver.bodies()


def test_only_an_admin_makes_templates(client, template):
    """403 for others, 409 for a key that is taken, 404 for one that is not there."""
    with refused(403):
        client.metadata_templates.create_metadata_template("enterprise", "X", template_key="x")
    with refused(409):
        client.with_as_user_header(ADA).metadata_templates.create_metadata_template(
            "enterprise", "Again", template_key=template
        )
    scope = sdk.GetMetadataTemplateScope.ENTERPRISE
    found = client.metadata_templates.get_metadata_template(scope, template)
    assert [field.key for field in found.fields] == ["opportunity_id", "note", "tier"]
    with refused(404):
        client.metadata_templates.get_metadata_template(scope, "missing")


def test_metadata_is_made_once_and_patched_as_a_whole(client, template, receiver):
    """409 for a second instance; a `test` that fails leaves all as it was; each change is told."""
    metadata, place = client.folder_metadata, folder(client)
    triggers = [f"METADATA_INSTANCE.{what}" for what in ("CREATED", "UPDATED", "DELETED")]
    hook(client, place, receiver, *triggers)
    one = (place, ENTERPRISE["get"], template)
    with refused(404, "instance_tuple_not_found"):
        metadata.get_folder_metadata_by_id(*one)
    with refused(404, "instance_tuple_not_found"):
        metadata.create_folder_metadata_by_id(place, ENTERPRISE["create"], "missing", {})
    create = (place, ENTERPRISE["create"], template)
    with refused(400, "schema_validation_failed"):
        metadata.create_folder_metadata_by_id(*create, {"unknown": "x"})
    with refused(400, "schema_validation_failed"):
        metadata.create_folder_metadata_by_id(*create, {"tier": "middle"})
    made = metadata.create_folder_metadata_by_id(*create, {"opportunity_id": "006A", "tier": "low"})
    assert (made.template, made.parent) == (template, f"folder_{place}")
    with refused(409, "tuple_already_exists"):
        metadata.create_folder_metadata_by_id(*create, {})
    update = (place, ENTERPRISE["update"], template)
    with refused(412):
        metadata.update_folder_metadata_by_id(
            *update, patch(("replace", "/tier", "high"), ("test", "/opportunity_id", "006B"))
        )
    assert metadata.get_folder_metadata_by_id(*one).raw_data["tier"] == "low"
    with refused(400):
        metadata.update_folder_metadata_by_id(*update, patch(("replace", "/note", "not there yet")))
    after = metadata.update_folder_metadata_by_id(
        *update,
        patch(
            ("test", "/opportunity_id", "006A"), ("add", "/note", "Ä"), ("replace", "/tier", "high")
        ),
    )
    assert (after.raw_data["note"], after.raw_data["tier"], after.version) == ("Ä", "high", 1)
    metadata.delete_folder_metadata_by_id(place, ENTERPRISE["delete"], template)
    bodies = told(receiver, 3)
    assert sorted(body["trigger"] for body in bodies) == sorted(triggers)
    for body in bodies:
        assert body["source"]["id"] == place
        assert body["additional_info"]["template"] == template


def test_who_is_let_in_sees_only_from_there_on(client, sam, receiver):
    """An editor works below the shared folder, whose path begins there; then the owner sees it."""
    clients = folder(client)
    acme = inside(client, clients, "ACME")
    deal = inside(client, acme, "Deal")
    hook(client, clients, receiver, "COLLABORATION.CREATED", "COLLABORATION.REMOVED")
    with refused(404):
        sam.folders.get_folder_by_id(deal)
    given = share(client, acme, notify=False)
    assert (given.status, given.accessible_by.login) == ("accepted", SAMS)
    with refused(400, "user_already_collaborator"):
        share(client, acme)
    assert "ACME" in names(sam, "0")
    seen = sam.folders.get_folder_by_id(deal)
    assert [one.id for one in seen.path_collection.entries] == ["0", acme]
    assert sam.folders.get_folder_by_id(acme).parent.id == "0"
    with refused(404):
        sam.folders.get_folder_by_id(clients)
    file = upload(sam, deal, "Offer.txt", b"offer")
    mine = client.files.get_file_by_id(file.id)
    assert mine.owned_by.id == client.users.get_user_me().id
    assert mine.modified_by.login == SAMS and len(mine.path_collection.entries) == 4
    listed = client.list_collaborations.get_folder_collaborations(acme).entries
    assert [one.id for one in listed] == [given.id]
    client.user_collaborations.delete_collaboration_by_id(given.id)
    with refused(404):
        client.user_collaborations.delete_collaboration_by_id(given.id)
    with refused(404):
        sam.files.get_file_by_id(file.id)
    bodies = sorted(told(receiver, 2), key=lambda body: body["trigger"])
    assert [body["trigger"] for body in bodies] == [
        "COLLABORATION.CREATED",
        "COLLABORATION.REMOVED",
    ]
    source = bodies[0]["source"]
    assert (source["type"], source["item"]["id"]) == ("collaboration", acme)
    assert source["accessible_by"]["login"] == SAMS and bodies[0]["additional_info"] == []


@pytest.mark.parametrize(
    ("role", "may"),
    [("previewer", ""), ("viewer", "read"), ("uploader", "upload"),
     ("viewer uploader", "read upload"), ("editor", "read upload change share"),
     ("co-owner", "read upload change share")],
)  # fmt: skip
def test_a_role_is_kept_to(client, sam, role, may):
    """Each role does what it may, and is refused the rest with 403."""
    place = folder(client)
    file = upload(client, place, "a.txt", b"a")
    share(client, place, role=role)
    attempts = {
        "read": lambda: sam.downloads.download_file(file.id).read(),
        "upload": lambda: upload(sam, place, "b.txt", b"b"),
        "change": lambda: sam.files.update_file_by_id(file.id, name="c.txt"),
        "share": lambda: share(sam, place, login="ada.admin@example.com"),
    }
    for name, attempt in attempts.items():
        if name in may.split():
            attempt()
        else:
            with refused(403):
                attempt()


def test_who_has_no_account_is_invited(sandbox, client):
    """Pending, under the e-mail; a mail unless it is switched off; then the guest accepts."""
    place, guest = folder(client), "new.guest@example.org"
    given = share(client, place, login=guest, role="viewer")
    assert (given.status, given.invite_email, given.accessible_by) == ("pending", guest, None)
    assert len(sandbox.mails(guest)) == 1
    with refused(400, "user_already_collaborator"):
        share(client, place, login=guest)
    share(client, place, login="quiet@example.org", notify=False)
    assert sandbox.mails("quiet@example.org") == []
    sandbox.box_do("answer", f"folder:{place}", login=guest, status="accepted")
    accepted = client.user_collaborations.get_collaboration_by_id(given.id)
    assert (accepted.status, accepted.accessible_by.login) == ("accepted", guest)
    person = client.with_as_user_header(accepted.accessible_by.id)
    assert person.folders.get_folder_by_id(place).id == place


def test_versions_have_numbers_names_and_authors(client, sam):
    """The list holds the older ones only; an older one is put on top as a new one."""
    place = folder(client)
    share(client, place)
    file = upload(client, place, "a.txt", b"one")
    renamed = sdk.UploadFileVersionAttributes(name="b.txt")
    sam.uploads.upload_file_version(file.id, renamed, io.BytesIO(b"two"))
    fields = ["version_number", "file_version", "modified_by", "name", "lock"]
    now = client.files.get_file_by_id(file.id, fields=fields)
    assert (now.version_number, now.name, now.lock) == ("2", "b.txt", None)
    assert now.modified_by.login == SAMS
    (older,) = client.file_versions.get_file_versions(file.id).entries
    assert (older.id, older.version_number, older.name) == (file.file_version.id, "1", "a.txt")
    top = client.file_versions.promote_file_version(file.id, id=older.id)
    assert top.sha_1 == hashlib.sha1(b"one").hexdigest() and top.id != older.id
    after = client.files.get_file_by_id(file.id, fields=fields)
    assert after.version_number == "3" and after.file_version.id == top.id
    numbers = [
        one.version_number for one in client.file_versions.get_file_versions(file.id).entries
    ]
    assert numbers == ["2", "1"]
    assert "version_number" not in client.files.get_file_by_id(file.id).raw_data


def test_a_lock_keeps_others_out_until_it_ends(sandbox, client, sam, receiver):
    """Others may not change the file, the owner may unlock it; a lock ends with its time."""
    place = folder(client)
    share(client, place)
    file = upload(client, place, "a.txt", b"one")
    hook(client, place, receiver, "FILE.LOCKED", "FILE.UNLOCKED")
    sam.files.update_file_by_id(file.id, lock=LOCK)
    shown = client.files.get_file_by_id(file.id, fields=["lock"])
    assert shown.lock.created_by.login == SAMS
    attributes = sdk.UploadFileVersionAttributes(name="a.txt")
    for attempt in (
        lambda: client.uploads.upload_file_version(file.id, attributes, io.BytesIO(b"two")),
        lambda: client.files.update_file_by_id(file.id, name="b.txt"),
        lambda: client.files.delete_file_by_id(file.id),
    ):
        with refused(403, "access_denied_item_locked"):
            attempt()
    client.files.update_file_by_id(file.id, lock=sdk.null)
    client.files.update_file_by_id(file.id, name="b.txt")
    ends = until(lambda: sandbox.call("GET", "/clock"))["now"][:11] + "23:59:59+00:00"
    timed = sdk.UpdateFileByIdLock(
        access=sdk.UpdateFileByIdLockAccessField.LOCK, expires_at=sdk.date_time_from_string(ends)
    )
    sam.files.update_file_by_id(file.id, lock=timed)
    sandbox.advance(86_400)
    later = ccg_client(sandbox)
    assert later.files.get_file_by_id(file.id, fields=["lock"]).lock is None
    later.files.update_file_by_id(file.id, name="c.txt")
    triggers = [body["trigger"] for body in told(receiver, 3)]
    assert sorted(triggers) == ["FILE.LOCKED", "FILE.LOCKED", "FILE.UNLOCKED"]


def test_everything_that_happens_to_a_tree_is_told(sandbox, client, sam, receiver):
    """Uploads, versions, moves, copies, renames, trash and back; who did it stands with it."""
    place = folder(client)
    share(client, place)
    kinds = ("FILE.UPLOADED", "FILE.MOVED", "FILE.COPIED", "FILE.RENAMED", "FILE.TRASHED",
             "FILE.RESTORED", "FILE.PREVIEWED", "FILE.DOWNLOADED", "FOLDER.CREATED",
             "FOLDER.RENAMED", "FOLDER.MOVED", "FOLDER.COPIED", "FOLDER.TRASHED")  # fmt: skip
    hook(client, place, receiver, *kinds)
    first, second = inside(sam, place, "First"), inside(sam, place, "Second")
    file = upload(sam, first, "a.txt", b"one")
    attributes = sdk.UploadFileVersionAttributes(name="a.txt")
    sam.uploads.upload_file_version(file.id, attributes, io.BytesIO(b"two"))
    sam.files.update_file_by_id(file.id, name="b.txt")
    sam.files.update_file_by_id(file.id, parent=sdk.UpdateFileByIdParent(id=second))
    copy = sam.files.copy_file(file.id, sdk.CopyFileParent(id=first), name="copy.txt")
    assert client.downloads.download_file(copy.id).read() == b"two"
    sandbox.box_do("preview", f"file:{file.id}", user=SAMS)
    sam.files.delete_file_by_id(file.id)
    sam.trashed_files.restore_file_from_trash(file.id)
    sam.folders.update_folder_by_id(first, name="Third")
    sam.folders.update_folder_by_id(first, parent=sdk.UpdateFolderByIdParent(id=second))
    twin = sam.folders.copy_folder(second, sdk.CopyFolderParent(id=place), name="Twin")
    assert names(client, twin.id) == {"Third", "b.txt"}
    with refused(400):
        sam.folders.update_folder_by_id(second, parent=sdk.UpdateFolderByIdParent(id=first))
    sam.folders.delete_folder_by_id(second, recursive=True)
    expected = sorted(
        ["FOLDER.CREATED"] * 4 + ["FILE.UPLOADED"] * 6
        + ["FILE.RENAMED", "FILE.MOVED", "FILE.COPIED", "FILE.DOWNLOADED", "FILE.PREVIEWED"]
        + ["FILE.TRASHED", "FILE.RESTORED", "FOLDER.RENAMED", "FOLDER.MOVED", "FOLDER.COPIED"]
        + ["FOLDER.TRASHED"]
    )  # fmt: skip
    bodies = told(receiver, len(expected))
    assert sorted(body["trigger"] for body in bodies) == expected
    by = {body["trigger"]: body["created_by"]["login"] for body in bodies}
    assert by.pop("FILE.DOWNLOADED") != SAMS and set(by.values()) == {SAMS}
    moved = next(body for body in bodies if body["trigger"] == "FILE.MOVED")
    assert moved["source"]["parent"]["id"] == second
    assert {"lock", "version_number"}.isdisjoint(moved["source"])


def test_the_stream_of_a_user_has_what_that_one_sees(client, sam):
    """From `now` on, page by page until the position stays; some events come twice."""
    hidden, shared = folder(client), folder(client)
    share(client, shared)
    start = {}
    for name, one in (("client", client), ("sam", sam)):
        page = one.events.get_events(
            stream_type=sdk.GetEventsStreamType.CHANGES, stream_position="now"
        )
        assert page.entries == []
        start[name] = str(page.next_stream_position)
    upload(client, hidden, "a.txt", b"a")
    files = [upload(sam, shared, f"{number}.txt", b"b") for number in range(10)]
    client.downloads.download_file(files[0].id).read()

    def walked(one, position):
        found = []
        while True:
            page = one.events.get_events(
                stream_type=sdk.GetEventsStreamType.CHANGES, stream_position=position, limit=3
            )
            found += [
                entry.raw_data if hasattr(entry, "raw_data") else entry for entry in page.entries
            ]
            if str(page.next_stream_position) == position:
                return page.raw_data["entries"], found
            position = str(page.next_stream_position)

    last, mine = walked(client, start["client"])
    assert last == []
    _, sams = walked(sam, start["sam"])
    ids = [entry.event_id for entry in client.events.get_events(
        stream_type=sdk.GetEventsStreamType.CHANGES, stream_position=start["client"], limit=500
    ).entries]  # fmt: skip
    assert len(set(ids)) == 11 and len(ids) > 11
    assert len(mine) >= 11 and len(sams) >= 10
    sources = {entry.source.id for entry in sam.events.get_events(
        stream_type=sdk.GetEventsStreamType.CHANGES, stream_position=start["sam"], limit=500
    ).entries}  # fmt: skip
    assert sources == {file.id for file in files}
    everything = client.events.get_events(stream_position=start["client"], limit=500).entries
    assert "ITEM_DOWNLOAD" in {entry.event_type.value for entry in everything}
    with refused(403):
        client.events.get_events(stream_type=sdk.GetEventsStreamType.ADMIN_LOGS_STREAMING)


def oauth(sandbox):
    """The SDK's log-in of a person, with its tokens in memory."""
    config = sdk.OAuthConfig(
        client_id=sandbox.box["client_id"],
        client_secret=sandbox.box["client_secret"],
        token_storage=sdk.InMemoryTokenStorage(),
    )
    return sdk.BoxOAuth(config)


def granted(sandbox, decision="grant", **changed):
    """What the browser brings back after a person has pressed a button."""
    asked = {
        "response_type": "code",
        "client_id": sandbox.box["client_id"],
        "redirect_uri": "http://127.0.0.1:9/callback",
        "state": "s 1&",
    } | changed
    page = sandbox.session.get(
        f"{sandbox.url}/api/oauth2/authorize", params=asked, allow_redirects=False, timeout=60
    )
    form = asked | {"user": SAM, "decision": decision}
    answer = sandbox.session.post(
        f"{sandbox.url}/api/oauth2/authorize", data=form, allow_redirects=False, timeout=60
    )
    return page, answer


def back(answer):
    """The query that the browser is sent back with."""
    from urllib.parse import parse_qsl, urlsplit

    assert answer.status_code == 303
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def test_a_person_logs_in_and_is_who_calls(sandbox):
    """Page, button, code, tokens; the code is good once, and so is each refresh token."""
    page, answer = granted(sandbox)
    assert "Grant access to Box" in page.text and "<script" not in page.text
    assert "form-action 'self' http://127.0.0.1:9;" in page.headers["content-security-policy"] + ";"
    query = back(answer)
    assert query["state"] == "s 1&"
    auth, network = oauth(sandbox), session(sandbox)
    first = auth.get_tokens_authorization_code_grant(query["code"], network_session=network)
    client = sdk.BoxClient(auth, network_session=network)
    assert client.users.get_user_me().login == SAMS
    with refused(400):
        auth.get_tokens_authorization_code_grant(query["code"], network_session=network)
    second = auth.refresh_token(network_session=network)
    assert second.refresh_token != first.refresh_token
    other = oauth(sandbox)
    other.token_storage.store(first)
    with refused(400):
        other.refresh_token(network_session=network)


def test_a_code_lives_for_half_a_minute(sandbox):
    """Later it is expired; a person's no and another's address are told apart."""
    _, answer = granted(sandbox)
    sandbox.advance(31)
    with refused(400) as caught:
        oauth(sandbox).get_tokens_authorization_code_grant(
            back(answer)["code"], network_session=session(sandbox)
        )
    assert (
        caught.value.response_info.body["error_description"] == "The authorization code has expired"
    )
    _, denied = granted(sandbox, decision="deny")
    assert back(denied)["error"] == "access_denied"
    for changed in ({"redirect_uri": "https://evil.example/"}, {"client_id": "x"}):
        page, answer = granted(sandbox, **changed)
        assert (page.status_code, answer.status_code) == (400, 400)
        assert "Grant access" not in page.text.partition("<main>")[2].replace(
            "Log in to grant access", ""
        )
    _, answer = granted(sandbox, scope="root_readwrite nonsense")
    assert back(answer)["error"] == "invalid_scope"
    sandbox.change_app(redirect_uris=["https://hub.example.com/back"])
    try:
        assert granted(sandbox)[0].status_code == 400
        _, answer = granted(sandbox, redirect_uri="https://hub.example.com/back")
        assert answer.headers["location"].startswith("https://hub.example.com/back?code=")
    finally:
        sandbox.change_app(redirect_uris=[])


def test_a_file_of_any_size_takes_no_room(sandbox, client):
    """Bytes that are made up have the size and SHA-1 that Box tells, version by version."""
    place = folder(client)
    made = sandbox.box_upload("large.bin", folder=place, size=5_000_001)
    again = sandbox.box_upload(file=made["id"], size=3_000_000)
    assert (made["size"], again["size"], again["id"]) == (5_000_001, 3_000_000, made["id"])
    content = client.downloads.download_file(made["id"]).read()
    assert hashlib.sha1(content).hexdigest() == again["sha1"] and len(content) == 3_000_000
    first = client.downloads.download_file(made["id"], version=made["file_version"]["id"]).read()
    assert hashlib.sha1(first).hexdigest() == made["sha1"] and len(first) == 5_000_001
    copy = client.files.copy_file(made["id"], sdk.CopyFileParent(id=place), name="copy.bin")
    assert copy.sha_1 == again["sha1"]
