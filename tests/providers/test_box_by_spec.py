"""Every request of our Box client is judged: by schemas of our own, and by Box's file if at hand.

See `box_judges`: `INKWIRE_BOX_OPENAPI` names Box's OpenAPI file.
"""

import inspect
import os
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from fakes.box_server import loopback_guard
from fakes.sandbox import SandboxProcess, until
from inkwire.integrations.box_sign_orders.folder import TRIGGERS
from inkwire.outbound.requests_adapter import session
from inkwire.providers.box.auth import BoxConnector
from inkwire.providers.box.client import BoxCalling, BoxClient, open_client
from inkwire.providers.box.client.sdk import SdkBoxClient
from inkwire.providers.box.objects import BoxFile, BoxFolder, NameTaken, SignDraft, SignSigner
from providers.box_judges import Boxs, Ours, Sent

SIGN = "POST /sign_requests"
OPENAPI = os.environ.get("INKWIRE_BOX_OPENAPI")
JUDGES = [Ours(), *([Boxs(Path(OPENAPI))] if OPENAPI else [])]
NAMES = [type(one).__name__ for one in JUDGES]


class HeldToken:
    """One token."""

    def __init__(self, token: str) -> None:
        self.token = token

    def access(self, *, refused: str | None = None) -> str:
        """The same always."""
        return self.token


class Watched:
    """A client of which the methods that were called are known."""

    def __init__(self, box: BoxClient, called: set[str]) -> None:
        self._box, self._called = box, called

    def __getattr__(self, name: str) -> Any:
        self._called.add(name)
        return getattr(self._box, name)


def tokens(sandbox: SandboxProcess, sent: requests.Session) -> str:
    """A token by each way of authentication; the last one."""
    connector, app = BoxConnector(), sandbox.box
    urls = {"token_url": f"{sandbox.url}/oauth2/token"}
    ids = {"client_id": app["client_id"], "enterprise_id": app["enterprise_id"]}
    roles = ("client_secret", "public_key_id", "private_key", "passphrase")
    ways = (("jwt", roles), ("ccg", roles[:1]))
    for number, (way, names) in enumerate(ways):
        settings, secrets = connector.clean(way, urls | ids, {one: app[one] for one in names})
        asked = connector.token_request(
            way, settings, secrets, now=datetime.now(UTC), jti=f"{number:032d}", refresh=None
        )
        answer = sent.post(asked.url, data=dict(asked.form), timeout=30)
        token = connector.read_token(answer.status_code, answer.content, now=datetime.now(UTC))
    return token.access


def draft(files: list[str], folder_id: str, number: int, **more: Any) -> SignDraft:
    """A sign request; `more`: what need not be said."""
    return SignDraft(
        signers=(
            SignSigner(email="jane@example.com", redirect_url=more.get("redirect_url", "")),
            SignSigner(email="copy@example.com", role="final_copy_reader", order=2),
        ),
        file_ids=tuple(files),
        folder_id=folder_id,
        external_id=f"ord_{number}:int_7",
        name=f"Order {number} – Müller",
        **more,
    )


def drive(box: Any) -> None:
    """Every method, with all that it can say."""
    assert box.me().id
    folder = box.create_folder("Orders – Müller 😀")
    assert isinstance(folder, BoxFolder) and isinstance(box.create_folder(folder.name), NameTaken)
    assert box.folder(folder.id) == folder
    box.can_upload(folder.id)
    made = box.upload(folder.id, "Ünïcode 📄.txt", b"Sign here")
    large = box.upload(folder.id, "large.bin", bytes(20_000_000))
    assert isinstance(made, BoxFile) and isinstance(large, BoxFile)
    assert replace(box.file(made.id), version_number=0) == made
    assert [one.id for one in box.versions(made.id)] == [made.version_id]
    with box.open_file(made.id, version_id=made.version_id) as content:
        assert (content.size, b"".join(content.pieces)) == (9, b"Sign here")
    drive_sync(box, folder, made)
    assert box.download(made.id) == box.download(made.id, version_id=made.version_id)
    full = draft(
        [made.id], folder.id, 1, prefill={"tag_full_name": "Jané Müller"}, days_valid=30,
        email_subject="Please sign", email_message="<b>Thank you</b>",
        redirect_url="https://shop.example.com/done",
        declined_redirect_url="https://shop.example.com/declined", reminders=False,
    )  # fmt: skip
    sign = box.create_sign_request(full)
    box.create_sign_request(draft([made.id], folder.id, 2))
    box.create_sign_request(draft([made.id], folder.id, 3, days_valid=0))
    assert len(list(box.sign_requests(most=1))) == 1 and len(list(box.sign_requests())) == 3
    until(lambda: box.sign_request(sign.id).status == "sent")
    hook = box.create_webhook(
        folder_id=folder.id, address="https://hooks.example.com/in/box", triggers=TRIGGERS
    )
    assert box.webhook(hook.id) == hook
    assert [one.id for one in box.webhooks()] == [hook.id]
    box.update_webhook(hook.id, address="https://new.example.com/in/box", triggers=TRIGGERS)


def drive_sync(box: Any, folder: BoxFolder, made: BoxFile) -> None:
    """What keeps folders in step: names and places, metadata, access, changes."""
    inner = box.create_folder("Proposals", parent_id=folder.id)
    assert box.change_folder(inner.id, name="Contracts – Müller").name == "Contracts – Müller"
    assert {(one.type, one.name) for one in box.items(folder.id)} >= {
        ("folder", "Contracts – Müller"), ("file", made.name)
    }  # fmt: skip
    assert isinstance(box.change_folder(inner.id, name=made.name), NameTaken)
    assert box.change_folder(inner.id, parent_id="0").path == ()
    assert box.metadata_template("mapping") is None
    assert box.create_metadata_template("mapping", "Mapping", ("opportunity_id", "_own"))
    assert box.metadata_template("mapping") == ("opportunity_id", "_own")
    assert [one.type for one in box.metadata_fields("mapping").values()] == ["string"] * 2
    assert box.metadata(folder.id, "mapping") is None
    values = {"opportunity_id": "006000000000001AAA", "_own": "x"}
    assert box.create_metadata(folder.id, "mapping", values)
    patch = [{"op": "test", "path": "/_own", "value": "x"}, {"op": "remove", "path": "/_own"}]
    patch += [{"op": "add", "path": "/opportunity_id", "value": "006000000000002AAA"}]
    assert "_own" not in box.change_metadata(folder.id, "mapping", patch)
    assert [one.login for one in box.collaborations(folder.id)] == []
    guest = box.collaborate(folder.id, "sam.sales@example.com", "editor")
    assert [one.id for one in box.collaborations(folder.id)] == [guest.id]
    assert box.remove_collaboration(guest.id) and not box.remove_collaboration(guest.id)
    newest = box.changes("now")
    assert newest.changes == () and box.changes(newest.next_position) == newest


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Iterator[tuple[list[Sent], set[str]]]:
    """The requests that the client sent to the real sandbox, and its methods that were called."""
    sent: list[Sent] = []
    called: set[str] = set()
    guard = loopback_guard()
    with (
        SandboxProcess(tmp_path_factory.mktemp("sandbox")) as sandbox,
        session(guard, domains=("box.com",)) as api,
        session(guard) as files,
        closing(requests.Session()) as plain,
    ):
        for one in (api, plain):
            one.hooks["response"].append(lambda answer, **_: sent.append(Sent.of(answer.request)))
        sandbox.pace(convert_s=0)
        sandbox.change_app(rights=["as_user", "user_tokens", "co_admin"])
        calling = BoxCalling(
            api_url=sandbox.url,
            upload_url=sandbox.url,
            tokens=HeldToken(tokens(sandbox, plain)),
            session=api,
            files=files,
            journal=lambda **_: None,
            now=lambda: datetime.now(UTC),
        )
        assert isinstance(open_client(calling), SdkBoxClient)
        box = SdkBoxClient(calling, chunked_above=1_000_000, sleep=lambda _: None)
        drive(Watched(box, called))
    yield sent, called


def test_every_method_was_driven(recorded):
    """A call that is new to the client does not go past the judges; nor is a schema left over."""
    sent, called = recorded
    assert called == {
        name for name, _ in inspect.getmembers(BoxClient, inspect.isfunction) if name[0] != "_"
    }
    assert {JUDGES[0].operation(one) for one in sent} == JUDGES[0].operations.keys()


@pytest.mark.parametrize("judge", JUDGES, ids=NAMES)
def test_every_request_is_one_that_box_takes(recorded, judge):
    """Method, path, query, headers and body of each request are as Box's API describes them."""
    for sent in recorded[0]:
        assert judge.problems(sent) == [], sent.path


@pytest.mark.parametrize("judge", JUDGES, ids=NAMES)
@pytest.mark.parametrize(
    "wrong",
    [{"signers": None}, {"signers": []}, {"signers": [{"email": "a@example.com", "role": "cc"}]},
     {"days_valid": 731}, {"source_files": [{"id": "1", "type": "file"}] * 11},
     {"parent_folder": "7"}],
    ids=["no signers", "nobody", "role", "days", "files", "folder"],
)  # fmt: skip
def test_the_judges_are_awake(recorded, judge, wrong):
    """A judge that cannot read its schema accepts all: these bodies must be refused."""
    body = next(one.body for one in recorded[0] if judge.operation(one) == SIGN) | wrong
    body = {key: value for key, value in body.items() if value is not None}
    if wrong == {"signers": []} and isinstance(judge, Boxs):
        assert judge.body_problems(SIGN, body) == []  # Box's file is silent; ours is not
        return
    assert judge.body_problems(SIGN, body)


def test_a_misspelt_field_is_refused():
    """Box's file allows fields that it does not know, so ours must not."""
    for name, described in JUDGES[0].operations.items():
        if name.split()[1].startswith("/folders/{folder_id}/metadata/"):
            continue  # its fields are the template's
        for schema in described.get("body", {}).get("oneOf", [described.get("body", {})]):
            assert schema.get("additionalProperties", False) is False, name
            body = dict.fromkeys(schema.get("required", ()), "x") | {"parent_foldr": {"id": "7"}}
            assert any("parent_foldr" in one for one in JUDGES[0].body_problems(name, body)), name


def _mutations(value: Any) -> Iterator[Any]:
    """The value with one thing changed, at any depth: left out, doubled, or of another kind."""
    yield from (None, True, -1, 0, 731, 2.5, "", "x", "x" * 300, [], {})
    if isinstance(value, list):
        yield value * 12
        places: Any = range(len(value))
    else:
        places = list(value) if isinstance(value, dict) else ()
    for place in places:
        less = deepcopy(value)
        del less[place]
        yield less
        for changed in _mutations(value[place]):
            other = deepcopy(value)
            other[place] = changed
            yield other


def test_what_ours_accepts_box_accepts(recorded):
    """Our schemas are no looser than Box's: each request with one thing changed is put to all."""
    accepted = 0
    for sent in recorded[0]:
        if not isinstance(sent.body, dict):
            continue
        name = JUDGES[0].operation(sent)
        kept = [one for one in _mutations(sent.body) if not JUDGES[0].body_problems(name, one)]
        accepted += len(kept)
        for judge in JUDGES[1:]:
            for body in kept:
                assert judge.body_problems(name, body) == [], (name, body)
    assert accepted > 100
