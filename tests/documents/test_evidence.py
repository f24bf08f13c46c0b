"""Evidence: an export verifies by itself, any change of it is found, and hostile files are refused."""

import hashlib
import json
import shutil
import subprocess
import zipfile
from contextlib import contextmanager
from io import BytesIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.kit import add_order, filled, keep
from fakes.hub import open_rooms
from inkwire.documents import archive
from inkwire.documents.bundle import MANIFEST, SIGNATURE, encoded, read_public, signed
from inkwire.documents.verifying import holds, verify
from inkwire.errors import InvalidInput, NotFound
from inkwire.model.document import DocumentKind, EvidenceItem
from inkwire.store.ordering import OrderChange


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A bundle, the key that it was signed with, and what stands in it."""
    with open_rooms(tmp_path_factory.mktemp("evidence") / "data") as rooms:
        content = filled(rooms)
        yield (
            rooms.hub.evidence.export("1042"),
            rooms.store.evidence.hub_key(),
            rooms.hub.evidence.public_key(),
            content,
        )


def members(bundle):
    """The files of a bundle."""
    with zipfile.ZipFile(BytesIO(bundle)) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def zipped(files, **options):
    """A ZIP of these files, as another tool would write it."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", **options) as made:
        for name, content in files.items():
            made.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def failed(bundle, key=None):
    """The checks that fail."""
    return {one.check for one in verify(bundle, key) if not one.ok}


def resigned(files, private):
    """The bundle of these files with a manifest that lists them and is signed anew."""
    manifest = json.loads(files[MANIFEST])
    others = {name: content for name, content in files.items() if name not in (MANIFEST, SIGNATURE)}
    manifest["files"] = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in others.items()
    ]
    text = encoded(manifest)
    return zipped({**others, MANIFEST: text, SIGNATURE: signed(private, text)})


def with_manifest(bundle, private, change):
    """The bundle with a changed manifest, signed with the hub's own key."""
    files = members(bundle)
    manifest = json.loads(files[MANIFEST])
    change(manifest)
    files[MANIFEST] = encoded(manifest)
    return resigned(files, private)


def test_an_export_verifies_with_the_key_of_the_hub(exported):
    """Every check is made and ok; what the chain takes down is among them."""
    bundle, _, public, _ = exported
    findings = verify(bundle, public)
    assert holds(findings), findings
    assert [one.check for one in findings] == [
        "archive", "signature", "key", "files", "chain", "documents", "documents", "receipts",
        "runs", "runs",
    ]  # fmt: skip
    assert "4 links" in next(one.text for one in findings if one.check == "chain")


def test_an_export_holds_what_it_should(exported):
    """Documents and webhook byte for byte, the run's records; credentials are left out."""
    bundle, _, public, content = exported
    files = members(bundle)
    assert list(files)[:3] == ["README.txt", "manifest.json", "manifest.sig"]
    first, second = content.documents
    assert files[f"documents/{first.id}-contract__signed.pdf"] == b"%PDF-1.7 signed"
    assert files[f"documents/{second.id}-log.pdf"] == b"%PDF log"
    assert files[f"receipts/{content.receipt_id}.body"] == b'{"id":"1","secret":"Jane\\u2019s"}'
    assert json.loads(files[f"receipts/{content.receipt_id}.json"])["headers"] == []
    assert json.loads(files[f"calls/{content.work_id}.jsonl"])["path"] == "/2.0/sign_requests/77"
    assert json.loads(files[f"steps/{content.work_id}.jsonl"])["name"] == "read"
    assert "Jane Example signed." in files["timeline.jsonl"].decode()
    manifest = json.loads(files[MANIFEST])
    assert manifest["order"]["number"] == "1042"
    assert [one["name"] for one in manifest["documents"]] == ["contract/✍️ signed.pdf", "log.pdf"]
    assert read_public(files["hub-key.pem"]) == public == bytes.fromhex(manifest["public_key"])
    text = files["README.txt"].decode()
    assert "eIDAS" in text
    assert "WHAT IT DOES NOT PROVE" in text


def test_openssl_agrees_about_the_signature(exported, tmp_path):
    """Somebody without Inkwire checks it as the README says."""
    files = members(exported[0])
    for name in (MANIFEST, SIGNATURE, "hub-key.pem"):
        (tmp_path / name).write_bytes(files[name])
    assert shutil.which("openssl")
    command = "openssl pkeyutl -verify -pubin -inkey hub-key.pem -rawin -in manifest.json -sigfile manifest.sig"
    assert command in files["README.txt"].decode()
    run = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    (tmp_path / MANIFEST).write_bytes(files[MANIFEST] + b" ")
    run = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert run.returncode != 0


def test_the_chain_can_be_computed_as_the_readme_says(exported):
    """With nothing but a JSON writer and SHA-256, by the words of README and docs."""
    manifest = json.loads(members(exported[0])[MANIFEST])
    previous = "0" * 64
    for link in manifest["chain"]:
        content = {key: link[key] for key in ("at", "facts", "kind", "previous", "seq", "text")}
        content["order"] = manifest["order"]["id"]
        line = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert link["previous"] == previous
        assert hashlib.sha256(line.encode()).hexdigest() == link["digest"]
        previous = link["digest"]
    assert previous != "0" * 64


def test_the_same_export_gives_the_same_bytes(rooms):
    """Two people who export at the same moment hold the same file."""
    filled(rooms)
    assert rooms.hub.evidence.export("1042") == rooms.hub.evidence.export("1042")


@given(st.data())
def test_a_flipped_byte_of_any_file_is_found(exported, data):
    """Whatever is in the bundle hangs on the signature."""
    files = members(exported[0])
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    assert failed(zipped({**files, name: bytes(content)}))
    assert failed(zipped({**files, name: bytes(content)}), exported[2])


@given(st.data())
def test_a_flipped_byte_of_the_zip_is_found_or_changes_nothing(exported, data):
    """Never an exception; and what verifies says what it said before."""
    raw = bytearray(exported[0])
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    if not failed(bytes(raw)):
        assert archive.read_members(bytes(raw)) == members(exported[0])


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_no_bytes_are_too_odd_to_be_judged(content):
    """Anything may be given: the answer is a finding."""
    assert failed(content) == {"archive"}
    assert failed(b"PK\x03\x04" + content) == {"archive"}


def test_a_file_more_or_less_is_found(exported):
    """Nothing may be missing, nothing may be slipped in."""
    files = members(exported[0])
    assert failed(zipped({**files, "documents/more.pdf": b"x"})) == {"files"}
    for name in files:
        less = zipped({key: value for key, value in files.items() if key != name})
        assert failed(less), name


def test_another_hub_cannot_pass_for_this_one(exported):
    """A whole bundle signed anew fails against the known key, and only against it."""
    bundle, _, public, _ = exported
    forger = Ed25519PrivateKey.generate()

    def change(manifest):
        manifest["public_key"] = forger.public_key().public_bytes_raw().hex()

    forged = with_manifest(bundle, forger.private_bytes_raw(), change)
    assert failed(forged, public) == {"signature", "key"}
    without_key = verify(forged)
    assert holds(without_key)
    assert any("not who made it" in one.text for one in without_key)


CHANGES = {
    "a changed sentence": lambda m: m["chain"][0].update(text="Nobody signed."),
    "a changed fact": lambda m: m["chain"][0]["facts"].update(type="acme.gone"),
    "a changed time": lambda m: m["chain"][1].update(at="2026-11-03T09:31:00.000000+00:00"),
    "a link removed": lambda m: m["chain"].pop(1),
    "two links swapped": lambda m: m["chain"].reverse(),
    "the end cut off": lambda m: m["chain"].pop(),
    "a document left out": lambda m: m["documents"].pop(),
    "a document more": lambda m: m["documents"].append({**m["documents"][0], "id": "doc_other"}),
    "a webhook left out": lambda m: m["receipts"].pop(),
    "another file for a document": lambda m: m["documents"][0].update(
        file=m["documents"][1]["file"], sha256=m["documents"][1]["sha256"]
    ),
    "a document without bytes": lambda m: m["documents"][0].update(file=None),
    "the order's id": lambda m: m["order"].update(id="ord_other"),
}
FOUND_BY = {
    "the end cut off": {"documents"},
    "a document left out": {"documents"},
    "a document more": {"documents"},
    "a webhook left out": {"receipts"},
    "another file for a document": {"documents"},
    "a document without bytes": {"documents"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_even_the_hubs_key_cannot_make_a_broken_chain_hold(exported, name):
    """Signed by the hub itself, but not what the chain took down: found by the very check."""
    bundle, private, public, _ = exported
    changed = with_manifest(bundle, private, CHANGES[name])
    assert failed(changed, public) == FOUND_BY.get(name, {"chain"})


def test_records_of_a_run_that_were_changed_are_found(exported):
    """The chain took down the first lines; lines after them are free to come."""
    bundle, private, public, content = exported
    files = members(bundle)
    name = f"calls/{content.work_id}.jsonl"
    assert (
        failed(resigned({**files, name: files[name] + b'{"later":1}\n'}, private), public) == set()
    )
    changed = files[name].replace(b"GET", b"PUT")
    assert failed(resigned({**files, name: changed}, private), public) == {"runs"}


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b"{}", b'{"format":"inkwire-evidence/9"}', b"\xff", b"[" * 100_000,
     b'{"format":"inkwire-evidence/1"}', b'{"format":"inkwire-evidence/1","files":[1]}',
     b'{"format":"inkwire-evidence/1","files":[],"order":{"id":"a"},"chain":[{"seq":1}]}',
     b'{"format":"inkwire-evidence/1","files":[],"order":{"id":"a"},"chain":[],"documents":[{}]}'],
)  # fmt: skip
def test_an_odd_manifest_is_a_finding(manifest):
    """A signed but senseless manifest ends in words too."""
    private = b"\x01" * 32
    bundle = zipped({MANIFEST: manifest, SIGNATURE: signed(private, manifest)})
    found = verify(bundle)
    assert found[-1].check == "manifest"
    assert not found[-1].ok


@contextmanager
def refused(words):
    """What is done inside gives bundles, each refused with these words."""

    def check(bundle):
        (finding,) = verify(bundle)
        assert (finding.check, finding.ok) == ("archive", False)
        assert words in finding.text

    yield check


def test_hostile_zips_are_refused(exported):
    """Names that leave the folder, twins, comments, encryption, odd packing, hidden bytes."""
    good = exported[0]
    with refused("name that no hub writes") as check:
        for name in ("../evil", "/etc/passwd", "a/../../b", "a\\b", "C:evil", "dir/", "a/b/c", "é"):
            check(zipped({"README.txt": b"x", name: b"x"}))
    with refused("twice") as check:
        check(zipped({"README.txt": b"x", "readme.TXT": b"y"}))
        out = BytesIO()
        with zipfile.ZipFile(out, "w") as made, pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("a", b"1")
            made.writestr("a", b"2")
        check(out.getvalue())
    with refused("comment") as check:
        out = BytesIO(good)
        with zipfile.ZipFile(out, "a") as made:
            made.comment = b"hello"
        check(out.getvalue())
    with refused("packed in a way") as check:
        out = BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as made:
            made.writestr("a", b"1")
        check(out.getvalue())
        flagged = bytearray(zipped({"a": b"1"}))
        flagged[flagged.index(b"PK\x01\x02") + 8] |= 1
        check(bytes(flagged))
    with refused("no ZIP file") as check:
        check(b"#!/bin/sh\n" + good)
        check(b"")
    with refused("belong to no file") as check:
        check(good + b"after the end")


def test_bombs_are_refused_before_they_go_off(monkeypatch):
    """Too many files, or too much when unpacked: judged by what the directory says."""
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    with refused("at most 3") as check:
        check(zipped({str(number): b"" for number in range(4)}))
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a", bytes(1001))
    with refused("more than 1,000 bytes") as check:
        check(bomb.getvalue())
    # The directory may lie about a size; what is read is never more than it says.
    lying = bytearray(bomb.getvalue())
    place = lying.index(b"PK\x01\x02") + 24
    lying[place : place + 4] = (10).to_bytes(4, "little")
    (finding,) = verify(bytes(lying))
    assert not finding.ok


def test_a_document_that_was_lost_is_told_and_fails(rooms):
    """The export is still made; it says what is missing, and the verifier does not overlook it."""
    content = filled(rooms)
    blobs = rooms.settings.data_dir / "blobs"
    (blobs / content.documents[0].blob).unlink()
    (blobs / content.documents[1].blob).write_bytes(b"overwritten by somebody")
    wrong = [one for one in verify(rooms.hub.evidence.export(content.order.id)) if not one.ok]
    assert [one.check for one in wrong] == ["documents", "documents"]
    assert "restore it from a backup" in wrong[0].text
    assert "does not open" in wrong[1].text


def test_a_document_that_the_chain_does_not_know_fails(rooms):
    """Slipped into the store past the chain."""
    order = add_order(rooms)
    keep(rooms, order, "known.pdf", b"1")
    new = rooms.hub.documents.keep(
        order_id=order.id,
        kind=DocumentKind.ATTACHED,
        name="slipped.pdf",
        media_type="application/pdf",
        content=b"2",
        origin="nowhere",
    )
    rooms.store.orders.apply(OrderChange(order_id=order.id, documents=(new,)))
    (wrong,) = [one for one in verify(rooms.hub.evidence.export(order.id)) if not one.ok]
    assert "slipped.pdf" in wrong.text


def test_an_order_without_anything_exports_and_verifies(rooms):
    """And one that does not exist is NotFound."""
    order = add_order(rooms)
    assert holds(verify(rooms.hub.evidence.export(order.id)))
    with pytest.raises(NotFound):
        rooms.hub.evidence.export("nothing")


def test_events_that_are_gone_do_not_stop_an_export(rooms):
    """Names in the chain that lead nowhere (removed by age, or a person's text) stay names."""
    order = add_order(rooms)
    item = EvidenceItem(
        kind="note", text="…", at=rooms.clock.now(), facts={"event": "evt_gone", "work": "../x"}
    )
    rooms.store.orders.apply(OrderChange(order_id=order.id, evidence=(item,)))
    assert holds(verify(rooms.hub.evidence.export(order.id)))


def test_public_keys_are_read_or_refused_in_words(exported):
    """PEM or hex digits; a key of another kind says so."""
    public = exported[2]
    assert read_public(public.hex().encode() + b"\n") == public
    for wrong in (b"", b"ab", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(InvalidInput, match="inkwire evidence key"):
            read_public(wrong)
