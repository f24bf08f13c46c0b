"""Checks an evidence bundle. Pure: no hub, no database, no network; nothing is unpacked to disk.

A bundle may come from anybody. Its names and sizes are checked before anything is read, and every
byte of every member hangs on the signature of the manifest.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inkwire.documents.archive import read_members
from inkwire.documents.bundle import FORMAT, MANIFEST, MOST_MANIFEST, SIGNATURE, UNLISTED, fits
from inkwire.errors import InvalidInput
from inkwire.model.document import EvidenceItem, EvidenceLink
from inkwire.model.evidence import first_broken


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One check and what it found."""

    #: Stable name: `archive`, `signature`, `key`, `files`, `chain`, `documents`,
    #: `receipts`, `runs`, `manifest`.
    check: str
    ok: bool
    #: A sentence for a person.
    text: str


def verify(bundle: bytes, public_key: bytes | None = None) -> list[Finding]:
    """Every check of a bundle, in order; the bundle holds if all of them are ok.

    `public_key`: the hub's (32 bytes, raw), got on another way than the bundle; None: the one in
    the bundle, which only shows that the bundle is whole, and a finding says so (ok stays true).
    Never raises for what `bundle` is.
    """
    try:
        members = read_members(bundle)
    except InvalidInput as error:
        return [Finding(check="archive", ok=False, text=error.message)]
    found = [
        Finding(
            check="archive", ok=True, text=f"A bundle of {len(members)} files, within its limits."
        )
    ]
    try:
        manifest = _manifest(members)
        found += _signature(members, manifest, public_key)
        found.append(_files(members, manifest))
        links = _links(manifest)
        found.append(_chain(links))
        found += _documents(manifest, links)
        found += _receipts(manifest, links)
        found += _runs(members, links)
    except InvalidInput as error:
        found.append(Finding(check="manifest", ok=False, text=error.message))
    return found


def holds(findings: Sequence[Finding]) -> bool:
    """Whether everything was found in order."""
    return all(one.ok for one in findings)


def _manifest(members: Mapping[str, bytes]) -> dict[str, Any]:
    text = members.get(MANIFEST)
    if text is None or SIGNATURE not in members:
        raise InvalidInput(f"{MANIFEST} or {SIGNATURE} is missing: this is no evidence bundle.")
    try:
        manifest = json.loads(text.decode("utf-8")) if len(text) <= MOST_MANIFEST else None
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise InvalidInput(f"{MANIFEST} cannot be read as JSON.")
    if manifest.get("format") != FORMAT:
        raise InvalidInput(
            f"{MANIFEST} is of another format than {FORMAT}; verify it with the release of "
            "Inkwire that knows it."
        )
    return manifest


def _signature(
    members: Mapping[str, bytes], manifest: Mapping[str, Any], given: bytes | None
) -> list[Finding]:
    """The manifest's signature, and by whose key."""
    try:
        inside = bytes.fromhex(str(manifest.get("public_key")))
    except ValueError:
        inside = b""
    key = inside if given is None else given
    good = fits(key, members[SIGNATURE], members[MANIFEST])
    found = [
        Finding(
            check="signature",
            ok=good,
            text="The manifest is signed, and was not changed since."
            if good
            else "The signature does not fit the manifest: it was changed, or another hub's key "
            "signed it.",
        )
    ]
    if given is None:
        text = (
            f"The key is the one in the bundle ({inside.hex()[:16]}…). That shows that the bundle "
            "is whole, not who made it: compare it with the hub's key, got on another way (--key)."
        )
        found.append(Finding(check="key", ok=True, text=text))
    else:
        same = given == inside
        text = "It is the key that you gave." if same else "It names another key than you gave."
        found.append(Finding(check="key", ok=same, text=text))
    return found


def _files(members: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Finding:
    """Every listed file is there as it was; nothing else is."""
    listed = {_text(one, "name"): one for one in _rows(manifest, "files")}
    wrong = [
        name
        for name, one in listed.items()
        if name not in members
        or hashlib.sha256(members[name]).hexdigest() != one.get("sha256")
        or len(members[name]) != one.get("size")
    ]
    extra = members.keys() - listed.keys() - UNLISTED
    if wrong:
        text = f"Missing or changed: {_some(wrong)}."
    elif extra:
        text = f"Not named by the manifest: {_some(sorted(extra))}."
    else:
        text = f"All {len(listed)} files are as the manifest says, and no others are here."
    return Finding(check="files", ok=not wrong and not extra, text=text)


def _links(manifest: Mapping[str, Any]) -> list[EvidenceLink]:
    """The chain as values. Raises InvalidInput if it is not one."""
    order = manifest.get("order")
    if not isinstance(order, dict):
        raise InvalidInput(f"{MANIFEST} names no order.")
    order_id = _text(order, "id")
    try:
        return [
            EvidenceLink(
                order_id=order_id,
                seq=_number(one, "seq"),
                item=EvidenceItem(
                    kind=_text(one, "kind"),
                    text=_text(one, "text"),
                    at=datetime.fromisoformat(_text(one, "at")),
                    facts={str(key): _text(one["facts"], key) for key in one["facts"]},
                ),
                previous=_text(one, "previous"),
                digest=_text(one, "digest"),
            )
            for one in _rows(manifest, "chain")
        ]
    except (KeyError, TypeError, ValueError):
        raise InvalidInput("The chain in the manifest cannot be read.") from None


def _chain(links: Sequence[EvidenceLink]) -> Finding:
    try:
        broken = first_broken(links)
    except (ValueError, UnicodeError):  # text that no hub could have hashed
        broken = 1
    if broken is not None:
        text = f"The chain breaks at link {broken}: something was changed, removed or put in."
    elif not links:
        text = "The chain is empty: nothing was recorded about this order yet."
    else:
        text = (
            f"The chain of {len(links)} links is unbroken, from {links[0].item.at:%Y-%m-%d %H:%M} "
        )
        text += f"to {links[-1].item.at:%Y-%m-%d %H:%M} UTC."
    return Finding(check="chain", ok=broken is None, text=text)


def _documents(manifest: Mapping[str, Any], links: Sequence[EvidenceLink]) -> list[Finding]:
    """Each document is here, and its hash is the one that the chain took down."""
    hashes = _hashes(manifest)
    chained = _chained(links, "document")
    found = []
    present = set()
    for one in _rows(manifest, "documents"):
        document_id, name = _text(one, "id"), _text(one, "name")
        present.add(document_id)
        said = chained.pop(document_id, None)
        problem = _mismatch(one, hashes, said)
        found.append(
            Finding(
                check="documents",
                ok=problem is None,
                text=f"{name!r} ({document_id}) "
                + (problem or "is byte for byte what the chain took down."),
            )
        )
    found += [
        Finding(check="documents", ok=False, text=f"The chain names {gone}, which is not here.")
        for gone in chained
    ]
    return found


def _mismatch(
    one: Mapping[str, Any], hashes: Mapping[str, str], said: set[str] | None
) -> str | None:
    """What is wrong with a document's entry; None: nothing."""
    if one.get("file") is None:
        return f"is missing: {one.get('missing') or 'its bytes are not here.'}"
    actual = hashes.get(_text(one, "file"))
    if actual is None or actual != one.get("sha256"):
        return "is not the file that the manifest describes."
    if said is None:
        return "is not named by the chain."
    if said != {actual}:
        return "has another hash than the chain took down."
    return None


def _receipts(manifest: Mapping[str, Any], links: Sequence[EvidenceLink]) -> list[Finding]:
    """Webhook bodies whose hash the chain took down are those bodies, and none is left out."""
    hashes = _hashes(manifest)
    chained = _chained(links, "receipt")
    rows = {_text(one, "id"): one for one in _rows(manifest, "receipts")}
    found = []
    for receipt_id, said in chained.items():
        one = rows.get(receipt_id)
        if one is None:
            text, ok = f"The chain names {receipt_id}, which is not here.", False
        elif one.get("body") is None:
            text, ok = (
                f"The body of {receipt_id} is no longer kept; its hash is in the chain.",
                True,
            )
        else:
            ok = said == {hashes.get(_text(one, "body"))}
            text = f"The body of {receipt_id} " + (
                "is what the chain took down." if ok else "has another hash than the chain says."
            )
        found.append(Finding(check="receipts", ok=ok, text=text))
    return found


def _runs(members: Mapping[str, bytes], links: Sequence[EvidenceLink]) -> list[Finding]:
    """The first lines of what a run did are those whose hash the chain took down.

    Records of runs go by their age, those of one work row together: then the chain has their hash
    alone. If the row was run again after that, a later link bears out what is here.
    """
    found: list[Finding] = []
    borne_out: set[str] = set()
    for link in reversed(links):
        facts = link.item.facts
        for kind in ("calls", "steps"):
            said = facts.get(f"{kind}_sha256")
            if link.item.kind != "call" or said is None or facts.get(kind) == "0":
                continue
            name = f"{kind}/{facts.get('work')}.jsonl"
            count = facts.get(kind, "")
            if name not in members:
                ok, told = True, "are no longer kept; their hash is in the chain."
            elif _first(members[name], count) == said:
                ok, told = True, "are what the chain took down."
                borne_out.add(name)
            elif name in borne_out:
                ok, told = True, "as they were then are no longer kept; a later link has the rest."
            else:
                ok, told = False, "are not what the chain took down: they were changed."
            text = f"The first {count[:9]} lines of {name} {told}"
            found.append(Finding(check="runs", ok=ok, text=text))
    return found[::-1]


def _first(content: bytes, count: str) -> str:
    """SHA-256 of that many first lines."""
    lines = content.splitlines(keepends=True)
    first = lines[: int(count)] if count.isascii() and count.isdecimal() else []
    return hashlib.sha256(b"".join(first)).hexdigest()


def _chained(links: Sequence[EvidenceLink], kind: str) -> dict[str, set[str]]:
    """Ids of a kind that the chain took a hash of, with every hash that it took."""
    found: dict[str, set[str]] = {}
    for link in links:
        facts = link.item.facts
        if link.item.kind == kind and kind in facts and "sha256" in facts:
            found.setdefault(facts[kind], set()).add(facts["sha256"])
    return found


def _hashes(manifest: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of each file, as listed; `_files` holds them against the bytes."""
    return {_text(one, "name"): str(one.get("sha256")) for one in _rows(manifest, "files")}


def _rows(manifest: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    rows = manifest.get(key)
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise InvalidInput(f"{MANIFEST} has no list of {key}.")
    return rows


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise InvalidInput(f"{MANIFEST}: {key} is missing or no text.")
    return value


def _number(row: Mapping[str, Any], key: str) -> int:
    value = row.get(key)
    if type(value) is not int:
        raise InvalidInput(f"{MANIFEST}: {key} is missing or no number.")
    return value


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
