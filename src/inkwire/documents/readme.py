"""The README of an evidence bundle: what it proves and what not, for somebody without a hub."""

TEXT = """\
EVIDENCE OF ORDER {number} ({order_id})
Exported by Inkwire on {created_at}.

WHAT IS IN HERE
manifest.json   the order's chain of evidence, and every other file here with its SHA-256
manifest.sig    the Ed25519 signature of manifest.json by the hub (64 bytes)
hub-key.pem     the hub's public key; {key}
documents/      the stored documents, byte for byte as they came or were made
receipts/       webhooks as they came in: the raw body, and the headers beside it. Headers that
                carry credentials are left out by name
timeline.jsonl  what happened to the order, as people see it
steps/ calls/   what the hub did, and which requests it sent to others

HOW TO CHECK IT
    inkwire evidence verify THIS-FILE.zip --key HUB-KEY.pem
needs no database and no network. Take HUB-KEY.pem from the hub's operator (`inkwire evidence key`)
on another way than this file came to you.
Without Inkwire:
    openssl pkeyutl -verify -pubin -inkey hub-key.pem -rawin -in manifest.json -sigfile manifest.sig
    sha256sum documents/*        and compare with manifest.json
The chain: the digest of a link is the SHA-256 of one line of JSON without blanks, with sorted keys
(at, facts, kind, order, previous, seq, text), in UTF-8; `previous` is the digest of the link
before, 64 zeros for the first.

WHAT IT PROVES
- Nothing in here was changed, removed or added since this hub signed it.
- The hub recorded these events in this order: no link of the chain can be changed or taken out
  without all later ones changing.
- Each document is byte for byte the one whose SHA-256 stands in the chain.

WHAT IT DOES NOT PROVE
- Who signed. The finding about the signatures in a PDF (`verdict`) was made offline, by
  certificates that the operator chose to trust; revocation was not asked for. Judge the PDF
  itself with a tool of your own.
- When, beyond the hub's own clock: no outside time stamp is part of it.
- That the hub recorded everything. It shows what was recorded, not what was left out; an operator
  who holds the hub's private key could make another chain.
- Inkwire is no qualified trust service and claims no qualified status under eIDAS
  (Regulation (EU) No 910/2014): neither for signatures, nor for time stamps, nor for preservation.
"""


def readme(*, number: str, order_id: str, created_at: str, key: str) -> bytes:
    """The text of README.txt; `key`: how the public key begins."""
    return TEXT.format(number=number, order_id=order_id, created_at=created_at, key=key).encode()
