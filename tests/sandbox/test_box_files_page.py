"""`/box/files`: people work with files by forms alone, and Box tells of it as of an API's doing."""

import html
import re

import pytest
import requests

from fakes.sandbox import until
from sandbox.kit import ccg_client, folder, pdf, webhook

SAM, SAMS = "30000000002", "sam.sales@example.com"
COMPLETED = "SIGN_REQUEST.COMPLETED"


@pytest.fixture
def place(sandbox):
    """A folder of the application's that Sam edits."""
    client = ccg_client(sandbox)
    made = folder(client)
    sandbox.box_do("share", f"folder:{made}", login=SAMS)
    return made


@pytest.fixture
def page(sandbox, place):
    """Does something there as Sam; the page that comes of it."""

    def do(deed, files=None, **fields):
        form = {"user": SAM, "folder": place, "do": deed} | {
            name.replace("__", ":"): value for name, value in fields.items()
        }
        url = f"{sandbox.url}/box/files"
        return requests.post(url, data=form, files=files, timeout=30)

    return do


def item_of(sandbox, name):
    """The newest item of that name."""
    return [one for one in sandbox.box_tree() if one["name"] == name][-1]


def test_files_are_put_changed_and_taken_away(sandbox, place, page):
    """Several at once; the same name again is a version; each deed says that it is done."""
    two = [("file", ("Ä <b>.txt", b"one")), ("file", ("b.txt", b"two"))]
    shown = page("upload", files=two)
    assert "Uploaded." in shown.text and "<script" not in shown.text
    assert html.escape("Ä <b>.txt") in shown.text and "<b>.txt" not in shown.text
    page("upload", files=[("file", ("b.txt", b"two and more"))])
    item = item_of(sandbox, "b.txt")
    assert [version["number"] for version in item["versions"]] == [2, 1]
    assert item["owner"] != SAM and {one["by"] for one in item["versions"]} == {SAM}
    key = f"file:{item['id']}"
    page("version", files=[("file", ("other name.txt", b"three"))], item=key)
    page("rename", item=key, name="c.txt")
    assert "Locked by Sam Sales" in page("lock", item=key).text
    assert "Locked by" not in page("unlock", item=key).text
    page("folder", name="Contracts")
    inner = item_of(sandbox, "Contracts")["id"]
    page("move", item=key, to=inner)
    moved = item_of(sandbox, "c.txt")
    assert (moved["parent"], len(moved["versions"])) == (inner, 3)
    page("copy", item=key, to=place)
    page("trash", item=f"folder:{inner}")
    left = [
        one["name"]
        for one in sandbox.box_tree()
        if one["parent"] == place and one["status"] == "active"
    ]
    assert sorted(left) == ["c.txt", "Ä <b>.txt"]


def test_access_and_metadata_are_given_there(sandbox, place, page):
    """Who is let in; the fields of a template, made, changed and emptied."""
    sandbox.box_template("deal", "opportunity_id", "note")
    key = f"folder:{place}"
    assert (
        "guest@example.org"
        in page("share", item=key, login="guest@example.org", role="viewer").text
    )
    page("metadata", item=key, template="deal", field__opportunity_id="006A", field__note="x")
    page("metadata", item=key, template="deal", field__opportunity_id="006B", field__note="")
    (values,) = next(one for one in sandbox.box_tree() if one["id"] == place)["metadata"]
    assert values["opportunity_id"] == "006B" and "note" not in values
    assert 'value="006B"' in page("unshare", item=key, login="guest@example.org").text
    logins = next(one for one in sandbox.box_tree() if one["id"] == place)["collaborations"]
    assert [one["login"] for one in logins] == [SAMS]


def test_a_preview_is_told_and_shows_the_file(sandbox, page, place):
    """The form tells Box's webhooks; what a browser cannot show is saved; HTML is never run."""
    page("upload", files=[("file", ("a.pdf", pdf())), ("file", ("a.html", b"<script>1</script>"))])
    for name, media, way in (
        ("a.pdf", "application/pdf", "inline"),
        ("a.html", "application/octet-stream", "attachment"),
    ):
        shown = page("preview", item=f"file:{item_of(sandbox, name)['id']}")
        assert shown.headers["content-type"] == media
        assert shown.headers["content-disposition"] == way
    stream = ccg_client(sandbox).events.get_events(limit=500).entries
    assert "ITEM_PREVIEW" in {entry.event_type.value for entry in stream}


def test_a_file_is_sent_for_signature_and_comes_back_signed(sandbox, receiver, place, page):
    """The mail, the signature, and the webhook about the signed file in the same folder."""
    webhook(ccg_client(sandbox), place, receiver.url, COMPLETED)
    page("upload", files=[("file", ("Contract.pdf", pdf()))])
    sent = page(
        "sign", item=f"file:{item_of(sandbox, 'Contract.pdf')['id']}", email="ann@example.com"
    )
    assert "Sent for signature" in sent.text

    def asked():
        there = (one for one in sandbox.sign_requests() if one["folder"] == place)
        return next((one for one in there if one["status"] == "sent"), None)

    sign = until(asked)
    assert sandbox.mails("ann@example.com")[0]["link"].startswith("/sign/")
    sandbox.sign(sign["id"])
    (event,) = until(receiver.bodies)
    assert (event["trigger"], event["source"]["parent"]["id"]) == (COMPLETED, place)
    signed = next(one for one in sandbox.box_tree() if one["id"] == event["source"]["id"])
    assert len(signed["versions"]) == 2 and signed["name"] == "Contract (1).pdf"


def test_what_is_refused_is_said_in_words(sandbox, place, page):
    """No right, a taken name, a folder that is not there, a deed that nobody knows."""
    page("upload", files=[("file", ("a.txt", b"a")), ("file", ("b.txt", b"b"))])
    item = item_of(sandbox, "a.txt")
    taken = page("rename", item=f"file:{item['id']}", name="b.txt")
    assert taken.status_code == 409 and 'role="alert"' in taken.text
    hidden = folder(ccg_client(sandbox))
    for form, status in (
        ({"do": "trash", "item": f"folder:{hidden}"}, 404),
        ({"do": "nothing", "item": f"folder:{place}"}, 400),
        ({"do": "rename", "item": f"folder:{place}", "name": " "}, 400),
        ({"do": "share", "item": f"folder:{place}", "login": "nobody"}, 400),
        ({"do": "lock", "item": f"folder:{place}"}, 400),
    ):
        shown = page(form.pop("do"), **form)
        assert shown.status_code == status and 'role="alert"' in shown.text
    stranger = requests.get(
        f"{sandbox.url}/box/files", params={"folder": hidden, "user": SAM}, timeout=60
    )
    assert stranger.status_code == 404 and "All Files" in stranger.text
    other_site = requests.post(
        f"{sandbox.url}/box/files", data={"do": "trash", "item": f"folder:{place}"},
        headers={"origin": "https://evil.example"}, timeout=60,
    )  # fmt: skip
    assert other_site.status_code == 403


def test_a_person_sees_the_tree_as_a_person_does(sandbox, place):
    """What was shared stands below All Files; every control has a name."""
    text = requests.get(f"{sandbox.url}/box/files", params={"user": SAM}, timeout=60).text
    assert f"folder={place}" in text and 'id="file-input"' in text
    labels = set(re.findall(r'<label for="([^"]+)"', text))
    inputs = set(re.findall(r'<(?:input|select)[^>]* id="([^"]+)"', text))
    assert inputs <= labels
