"""Box's client against a real server that drops, refuses and waits; defects of the SDK kept out."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests

from fakes.box_server import BoxServer, Reply, Seen, loopback_guard
from inkwire.errors import (
    Ambiguous,
    LimitReached,
    NeedsAttention,
    Permanent,
    Transient,
)
from inkwire.outbound.requests_adapter import session
from inkwire.providers.box.objects import NameTaken, SignDraft, SignSigner
from providers.box_kit import NOW, Kit

DRAFT = SignDraft(
    signers=(
        SignSigner(email="jane@example.com"),
        SignSigner(email="copy@example.com", role="final_copy_reader"),
    ),
    file_ids=("11", "12"),
    folder_id="7",
    external_id="ord_42:int_7",
    name="Order 42 – Müller",
    prefill={"tag_full_name": "Jané Müller"},
    days_valid=30,
)
SIGN = "/2.0/sign_requests"
SIGNED = {
    "id": "b1685f64-b285",
    "status": "something_new",
    "external_id": "ord_42:int_7",
    "created_at": "2026-11-22T04:00:00-08:00",
    "signers": [{"email": "jane@example.com", "role": "a_new_role"}, {"email": "s@example.com"}],
    "sign_files": {
        "files": [{"id": "11", "type": "file", "name": "a.pdf", "sha1": "AB", "size": 3,
                   "file_version": {"id": "111"}}],
        "is_ready_for_download": True,
    },
    "signing_log": {"id": "13", "type": "file"},
    "unheard_of": {"x": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def sessions() -> Iterator[tuple[requests.Session, requests.Session]]:
    """The guarded sessions of the API and of downloads; one pair, for a TLS context takes 50 ms."""
    guard = loopback_guard()
    with session(guard, domains=("box.com",)) as api, session(guard) as files:
        yield api, files


@pytest.fixture
def make_kit(sessions) -> Iterator[Callable[..., Kit]]:
    """Makes kits, closed at the end."""
    with ExitStack() as stack:

        def make(**calling) -> Kit:
            kit = Kit(sessions, **calling)
            stack.callback(kit.close)
            return kit

        yield make


@pytest.fixture
def kit(make_kit) -> Kit:
    """A kit that acts as the service account."""
    return make_kit()


@pytest.mark.parametrize(
    "reply",
    [Reply(drop=True), Reply(502, body=b"<html>bad gateway</html>"), Reply(201, body=b"{cut"),
     Reply(503, headers={"Retry-After": "5"}), Reply(201, json={"type": "sign-request"})],
    ids=["dropped", "502", "unreadable", "503", "no id"],
)  # fmt: skip
def test_a_sign_request_is_sent_once_and_its_outcome_doubted(kit, reply):
    """The SDK sends 3 to 5 times here: two signing mails. Ours sends once and says Ambiguous."""
    kit.server.on("POST", SIGN, reply)
    with pytest.raises(Ambiguous):
        kit.box.create_sign_request(DRAFT)
    assert len(kit.server.sent("POST", SIGN)) == 1
    assert len(kit.calls) == 1 and kit.calls[0]["method"] == "POST"


def test_a_sign_request_that_never_left_is_no_doubt(make_kit):
    """Nobody is asked to look for what was not sent: nothing listens on the port."""
    kit = make_kit(api_url="http://127.0.0.1:1")
    with pytest.raises(Transient) as raised:
        kit.box.create_sign_request(DRAFT)
    assert "no connection" in raised.value.message
    assert [call["status"] for call in kit.calls] == [None]


def test_a_sign_request_says_all_that_was_drafted(kit):
    """The body is Box's, and what Box answers is read though it holds unknown words."""
    kit.server.on("POST", SIGN, Reply(201, json=SIGNED, headers={"BOX-REQUEST-ID": "req1"}))
    made = kit.box.create_sign_request(DRAFT)
    body = kit.server.seen[0].json
    assert body["external_id"] == "ord_42:int_7" and body["days_valid"] == 30
    assert body["parent_folder"] == {"id": "7", "type": "folder"}
    assert body["source_files"] == [{"id": "11", "type": "file"}, {"id": "12", "type": "file"}]
    assert body["signers"][1] == {
        "email": "copy@example.com",
        "role": "final_copy_reader",
        "order": 1,
    }
    assert body["prefill_tags"] == [
        {"document_tag_id": "tag_full_name", "text_value": "Jané Müller"}
    ]
    assert body["is_document_preparation_needed"] is False
    assert "redirect_url" not in body
    assert (made.id, made.status, made.ready) == ("b1685f64-b285", "something_new", True)
    assert made.files[0].version_id == "111" and made.files[0].sha1 == "ab"
    assert made.created_at == NOW
    call = kit.calls[0]
    assert call["status"] == 201 and call["vendor_id"] == "req1" and call["path"] == SIGN
    assert call["body_sha256"] == hashlib.sha256(kit.server.seen[0].body).hexdigest()
    assert call["started_at"] == NOW and call["duration_us"] > 0


def test_a_refused_token_is_exchanged_once(kit):
    """A 401 costs no event (R71): one other token, one more request, and no wait."""
    kit.server.on(
        "GET", "/2.0/users/me", Reply(401), Reply(json={"id": "5", "name": "N", "login": "n@x"})
    )
    assert kit.box.me().id == "5"
    assert kit.tokens.refused == [None, "t1"]
    given = [one.headers["authorization"] for one in kit.server.seen]
    assert given == ["Bearer t1", "Bearer t2"]
    assert kit.attention == []


def test_a_second_401_needs_attention(kit):
    """Exactly one refresh, then a person, and the connection is told."""
    kit.server.on("POST", SIGN, Reply(401))
    with pytest.raises(NeedsAttention) as raised:
        kit.box.create_sign_request(DRAFT)
    assert len(kit.server.seen) == 2
    assert kit.attention == [raised.value.message]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("Sun, 22 Nov 2026 12:01:30 GMT", 90), ("99999", 3600), ("soon", 60),
     ("Sun, 22 Nov 2020 12:00:00 GMT", 1)],
)  # fmt: skip
def test_a_limit_says_when_it_frees(kit, value, seconds):
    """Retry-After as a number or an HTTP date, which the SDK cannot read; capped, never negative."""
    kit.server.on("POST", SIGN, Reply(429, headers={"Retry-After": value}))
    with pytest.raises(LimitReached) as raised:
        kit.box.create_sign_request(DRAFT)
    assert raised.value.retry_after_s == seconds
    assert len(kit.server.seen) == 1 and kit.slept == []


@pytest.mark.parametrize("shape", ["object", "array"])
def test_a_taken_name_is_told_in_either_shape(kit, shape):
    """`conflicts` is an object for files and an array for folders; both give the same."""
    row = {"type": "folder", "id": "77", "name": "Sign"}
    error = {"type": "error", "status": 409, "code": "item_name_in_use",
             "context_info": {"conflicts": row if shape == "object" else [row]}}  # fmt: skip
    kit.server.on("POST", "/2.0/folders", Reply(409, json=error))
    assert kit.box.create_folder("Sign") == NameTaken(id="77", type="folder")
    assert kit.calls[0]["error"] == "item_name_in_use"


def test_other_conflicts_pass_or_stay(kit):
    """A folder that is being moved is tried again; a 409 that says nothing is not taken for a name."""
    blocked = {"code": "operation_blocked_temporary"}
    empty = {"code": "item_name_in_use", "context_info": {"conflicts": []}}
    kit.server.on("POST", "/2.0/folders", Reply(409, json=blocked), Reply(409, json=empty))
    with pytest.raises(Transient):
        kit.box.create_folder("Sign")
    with pytest.raises(Permanent):
        kit.box.create_folder("Sign")


def test_an_upload_is_checked_on_both_sides(kit):
    """SHA-1 goes along in content-md5, attributes come first, and the stored SHA-1 is compared."""
    path = "/api/2.0/files/content"
    row = {"id": "9", "name": "a.pdf", "size": 3, "file_version": {"id": "90"}, "type": "file"}
    good = {"entries": [{**row, "sha1": hashlib.sha1(b"abc").hexdigest()}]}
    kit.server.on(
        "POST", path, Reply(201, json=good), Reply(201, json={"entries": [{**row, "sha1": "00"}]})
    )
    made = kit.box.upload("7", "Ünïcode 📄.pdf", b"abc")
    assert not isinstance(made, NameTaken) and made.version_id == "90"
    seen = kit.server.sent("POST", path)[0]
    assert seen.headers["content-md5"] == hashlib.sha1(b"abc").hexdigest()
    assert seen.body.index(b'name="attributes"') < seen.body.index(b'name="file"')
    assert json.dumps("Ünïcode 📄.pdf").encode() in seen.body and b"\r\n\r\nabc\r\n" in seen.body
    assert kit.calls[0]["body_sha256"] == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(Transient):
        kit.box.upload("7", "a.pdf", b"abc")


def test_a_refused_upload_keeps_its_bytes(kit):
    """After a 401 the file goes again whole: not the 0 bytes that a read stream would have left."""
    path = "/api/2.0/files/content"
    row = {"id": "9", "sha1": hashlib.sha1(b"abc").hexdigest(), "file_version": {"id": "1"}}
    kit.server.on("POST", path, Reply(401), Reply(201, json={"entries": [row]}))
    kit.box.upload("7", "a.pdf", b"abc")
    assert [b"\r\n\r\nabc\r\n" in one.body for one in kit.server.seen] == [True, True]


def test_a_large_upload_goes_in_parts(kit):
    """Each part has its range and digest, the whole has its own, and a slow commit is waited for."""
    content = bytes(range(256)) * 10
    session_url = f"{kit.server.url}/up/2.0/files/upload_sessions/S1"
    opened = {"id": "S1", "part_size": 1024, "session_endpoints": {
        "upload_part": session_url, "commit": f"{session_url}/commit"}}  # fmt: skip
    kit.server.on("POST", "/api/2.0/files/upload_sessions", Reply(201, json=opened))

    def part(seen: Seen) -> Reply:
        start = int(seen.headers["content-range"].split()[1].split("-")[0])
        return Reply(
            200, json={"part": {"part_id": f"P{start}", "offset": start, "size": len(seen.body)}}
        )

    kit.server.on("PUT", "/up/2.0/files/upload_sessions/S1", part)
    stored = {
        "entries": [
            {"id": "9", "sha1": hashlib.sha1(content).hexdigest(), "file_version": {"id": "1"}}
        ]
    }
    commit = "/up/2.0/files/upload_sessions/S1/commit"
    kit.server.on("POST", commit, Reply(202, headers={"Retry-After": "1"}), Reply(201, json=stored))
    made = kit.box.upload("7", "big.bin", content)
    assert not isinstance(made, NameTaken) and made.id == "9"
    parts = kit.server.sent("PUT", "/up/2.0/files/upload_sessions/S1")
    assert b"".join(one.body for one in parts) == content and len(parts) == 3
    assert parts[2].headers["content-range"] == "bytes 2048-2559/2560"
    last = base64.b64encode(hashlib.sha1(content[2048:]).digest()).decode()
    assert parts[2].headers["digest"] == f"sha={last}"
    committed = kit.server.sent("POST", commit)[-1]
    assert [one["part_id"] for one in committed.json["parts"]] == ["P0", "P1024", "P2048"]
    whole = base64.b64encode(hashlib.sha1(content).digest()).decode()
    assert committed.headers["digest"] == f"sha={whole}" and len(kit.slept) == 1


def test_a_download_follows_without_the_token(kit):
    """The address that a file is fetched from gets no Authorization, and is not written down."""
    content = bytes(3_000_000)
    other = BoxServer()
    try:
        other.on("GET", "/d/1/secret/download", Reply(body=content))
        kit.server.on(
            "GET",
            "/2.0/files/9/content",
            Reply(302, headers={"Location": f"{other.url}/d/1/secret/download"}),
        )
        assert kit.box.download("9", version_id="90") == content
        assert kit.server.seen[0].path.endswith("?version=90")
        assert "authorization" in kit.server.seen[0].headers
        assert (
            "authorization" not in other.seen[0].headers and "as-user" not in other.seen[0].headers
        )
        assert [call["path"] for call in kit.calls] == [
            "/2.0/files/9/content?version",
            f"{other.url}/…",
        ]
    finally:
        other.close()


def test_a_download_into_the_network_inside_is_refused(kit):
    """Each hop meets the guard."""
    kit.server.on(
        "GET", "/2.0/files/9/content", Reply(302, headers={"Location": "http://169.254.169.254/x"})
    )
    with pytest.raises(NeedsAttention) as raised:
        kit.box.download("9")
    assert "metadata" in raised.value.message


def test_a_file_that_is_not_ready_is_tried_later(kit):
    """202 with Retry-After is no empty file."""
    kit.server.on("GET", "/2.0/files/9/content", Reply(202, headers={"Retry-After": "11"}))
    with pytest.raises(Transient) as raised:
        kit.box.download("9")
    assert raised.value.retry_after_s == 11


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(500, {}, Transient), (502, None, Transient), (404, {}, Permanent), (400, {"code": "bad", "message": "No!"}, Permanent),
     (302, {}, Permanent), (200, [1], Transient), (200, {}, Transient), (412, {}, Permanent)],
)  # fmt: skip
def test_a_read_that_fails_has_a_kind(kit, status, body, kind):
    """Lost answers are Transient, refusals Permanent, and redirects of the API are not followed."""
    reply = Reply(status, json=body, body=b"<html>", headers={"Location": "http://127.0.0.1:1/"})
    kit.server.on("GET", "/2.0/users/me", reply)
    with pytest.raises(kind):
        kit.box.me()
    assert len(kit.server.seen) == 1


@pytest.mark.parametrize(
    ("path", "ask", "right"),
    [("/2.0/sign_requests/1", lambda box: box.sign_request("1"), "Manage signature requests"),
     ("/2.0/webhooks/1", lambda box: box.webhook("1"), "Manage webhooks"),
     ("/2.0/folders/1", lambda box: box.folder("1"), "Read and write all files")],
)  # fmt: skip
def test_a_missing_scope_is_named(kit, path, ask, right):
    """The sentence names the box to tick and what an admin does then (R39)."""
    header = 'Bearer realm="Service", error="insufficient_scope"'
    kit.server.on("GET", path, Reply(403, headers={"WWW-Authenticate": header}))
    with pytest.raises(NeedsAttention) as raised:
        ask(kit.box)
    assert right in raised.value.message and "re-authorise" in raised.value.message
    assert kit.attention == [raised.value.message]
    assert kit.calls[0]["error"] == "insufficient_scope"


def test_a_full_disk_at_box_does_not_blame_the_connection(kit):
    """403 is not always a right: this one would park all other work for nothing."""
    kit.server.on("POST", "/2.0/folders", Reply(403, json={"code": "storage_limit_exceeded"}))
    with pytest.raises(Permanent):
        kit.box.create_folder("x")
    assert kit.attention == []


_DENIED = "access_denied_insufficient_permissions"


@pytest.mark.parametrize(
    ("method", "path", "ask", "named"),
    [("GET", "/2.0/folders/7", lambda box: box.folder("7"), "folder 7"),
     ("GET", "/2.0/files/9/content", lambda box: box.download("9"), "file 9"),
     ("POST", "/2.0/folders", lambda box: box.create_folder("x", parent_id="7"), "folder 7"),
     ("POST", "/api/2.0/files/content", lambda box: box.upload("7", "a", b"a"), "folder 7"),
     ("POST", "/api/2.0/files/upload_sessions", lambda box: box.upload("7", "a", bytes(2000)), "folder 7"),
     ("OPTIONS", "/2.0/files/content", lambda box: box.can_upload("7"), "folder 7"),
     ("POST", SIGN, lambda box: box.create_sign_request(DRAFT), "file 11, file 12, folder 7"),
     ("POST", "/2.0/webhooks",
      lambda box: box.create_webhook(folder_id="7", address="https://x/", triggers=("A",)), "folder 7")],
)  # fmt: skip
@pytest.mark.parametrize(
    ("code", "advice"), [(_DENIED, "Invite"), ("forbidden_by_policy", "admin")]
)
def test_one_folder_does_not_park_everything(kit, method, path, ask, named, code, advice):
    """403 on an item is that work's dead letter, names the item, and leaves the connection well."""
    kit.server.on(method, path, Reply(403, json={"code": code}))
    with pytest.raises(Permanent) as raised:
        ask(kit.box)
    assert f" on {named}: " in raised.value.message and advice in raised.value.message
    assert kit.attention == []


@pytest.mark.parametrize(
    ("path", "ask", "code"),
    [("/2.0/folders/7", lambda box: box.folder("7"), "insufficient_scope"),
     ("/2.0/folders/0", lambda box: box.folder("0"), _DENIED),
     ("/2.0/users/me", lambda box: box.me(), _DENIED),
     (SIGN, lambda box: next(box.sign_requests()), _DENIED),
     ("/2.0/folders/7", lambda box: box.folder("7"), "access_from_location_blocked")],
    ids=["scope", "own root", "no item", "list", "unknown"],
)  # fmt: skip
def test_what_every_call_would_meet_needs_attention(kit, path, ask, code):
    """A missing right, and what is about no one item or not known, parks the work: none is lost."""
    kit.server.on("GET", path, Reply(403, json={"code": code}))
    with pytest.raises(NeedsAttention) as raised:
        ask(kit.box)
    assert kit.attention == [raised.value.message]


def test_who_is_to_be_invited_is_the_user_that_calls_act_as(make_kit):
    """With as-user it is that user's right, not the service account's."""
    kit = make_kit(as_user="555")
    kit.server.on("GET", "/2.0/folders/7", Reply(403, json={"code": _DENIED}))
    with pytest.raises(Permanent) as raised:
        kit.box.folder("7")
    assert "Invite user 555 as editor" in raised.value.message


def test_what_is_gone_is_none(kit):
    """404 and the trash are answers, not errors."""
    kit.server.on(
        "GET", "/2.0/folders/7", Reply(json={"id": "7", "name": "x", "item_status": "trashed"})
    )
    assert kit.box.folder("7") is None
    assert kit.box.folder("8") is None
    assert kit.box.file("9") is None
    assert kit.box.sign_request("x-1") is None
    assert kit.box.webhook("1") is None


def test_lists_end_though_markers_repeat(kit):
    """All pages are read, and a marker that comes again ends the list."""
    page = {"entries": [{"id": "1", "target": {"id": "7", "type": "folder"}}], "next_marker": "m"}
    kit.server.on("GET", "/2.0/webhooks", Reply(json=page))
    assert [one.target_id for one in kit.box.webhooks()] == ["7", "7"]
    rows = {"entries": [{**SIGNED, "id": f"s{n}"} for n in range(3)], "next_marker": "m"}
    kit.server.on("GET", SIGN, Reply(json=rows), Reply(json={"entries": [], "next_marker": ""}))
    assert [one.id for one in kit.box.sign_requests()] == ["s0", "s1", "s2"]
    assert len(list(kit.box.sign_requests(most=2))) == 0


def test_a_webhook_that_is_there_already_is_none(kit):
    """409 on create means: update that one; triggers go as they are, also names the SDK lacks."""
    made = {
        "id": "3",
        "target": {"id": "7", "type": "folder"},
        "address": "https://x/in/b",
        "triggers": ["A.B"],
    }
    kit.server.on(
        "POST", "/2.0/webhooks", Reply(409, json={"code": "conflict"}), Reply(201, json=made)
    )
    ask = {"folder_id": "7", "address": "https://x/in/b", "triggers": ("A.B",)}
    assert kit.box.create_webhook(**ask) is None
    webhook = kit.box.create_webhook(**ask)
    assert webhook is not None and webhook.triggers == ("A.B",)
    assert kit.server.seen[0].json == {
        "target": {"id": "7", "type": "folder"},
        "address": "https://x/in/b",
        "triggers": ["A.B"],
    }
    kit.server.on("PUT", "/2.0/webhooks/3", Reply(json=made))
    assert kit.box.update_webhook("3", address="https://x/in/b", triggers=("A.B",)).id == "3"


def test_calls_act_as_the_user(make_kit):
    """Every call with a token carries as-user."""
    kit = make_kit(as_user="555")
    kit.server.on("GET", "/2.0/users/me", Reply(json={"id": "555"}))
    kit.box.me()
    assert kit.server.seen[0].headers["as-user"] == "555"


@pytest.mark.parametrize("bad", ["../users/me", "", "7?x=1", "7/..", "a" * 65])
def test_an_id_cannot_change_the_path(kit, bad):
    """An id that somebody typed reaches no other endpoint."""
    with pytest.raises(Permanent):
        kit.box.folder(bad)
    assert kit.server.seen == []


def test_credentials_go_to_box_or_the_allow_list_only(make_kit):
    """A public host that is not Box's gets no token, whatever the settings say."""
    guard = loopback_guard(lambda host, port: ["93.184.216.34"])
    with session(guard, domains=("box.com",)) as api:
        kit = make_kit(api_url="https://api.box.com.evil.example", session=api)
        with pytest.raises(NeedsAttention) as raised:
            kit.box.me()
    assert "credentials are not sent" in raised.value.message
    assert kit.calls[0]["error"] == "address_refused"


def test_threads_share_a_client(kit):
    """One session serves several threads at once, and each gets its own answer."""
    for number in range(20):
        kit.server.on("GET", f"/2.0/folders/{number}", Reply(json={"id": str(number), "name": "n"}))
    found: list[str] = []

    def ask(number: int) -> None:
        folder = kit.box.folder(str(number))
        found.append(folder.id if folder else "")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=int) == [str(number) for number in range(20)]
