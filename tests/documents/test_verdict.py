"""Verdicts on signatures: right about what was really signed, in words about everything else."""

from datetime import timedelta
from io import BytesIO

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.sign.timestamps import DummyTimeStamper

from documents.pdfs import NOW, Signer, WrongClock, blank, encrypted, jane, signed
from inkwire.documents.verdict import Outcome, judge, read_trust
from inkwire.documents.verdict_apart import look
from inkwire.errors import ConfigError


def test_a_signature_of_a_known_authority_is_trusted():
    """Found by the child process: who, when, over the whole file, by a root that we trust."""
    found = judge(signed(), now=NOW, trust=jane().root)
    assert found["outcome"] == "trusted"
    assert found["judge"].startswith("pyHanko ")
    assert found["judged_at"] == NOW.isoformat()
    (one,) = found["signatures"]
    assert one["signer"] == "Jane Example"
    assert one["signed_at"] is not None
    assert (one["intact"], one["valid"], one["trusted"]) == (True, True, True)
    assert (one["coverage"], one["modification"], one["timestamp"]) == ("whole_file", "none", None)


def seen(content, trust=b"", now=NOW):
    """The verdict without a process of its own."""
    return look(content, trust=trust, now=now)


def test_without_a_trust_store_nobody_is_trusted():
    """An empty trust store must not mean the machine's own, and no network is asked."""
    outcome, text, (one,) = seen(signed())
    assert outcome is Outcome.INTACT
    assert "only what the certificate says" in text
    assert one["valid"]
    assert not one["trusted"]


def test_another_authority_of_the_same_name_is_not_trusted():
    """Trust hangs on the key, not on the name."""
    assert seen(signed(), trust=Signer("Jane Example").root)[0] is Outcome.INTACT


def test_an_expired_certificate_is_not_trusted():
    """The hub's clock counts, not the machine's."""
    later = NOW + timedelta(days=31)
    assert seen(signed(), trust=jane().root, now=later)[0] is Outcome.INTACT
    assert seen(signed(), trust=jane().root)[0] is Outcome.TRUSTED


def test_a_certificate_for_digital_signatures_only_is_good_enough():
    """Vendors' certificates often lack non-repudiation, which pyHanko asks for by default."""
    someone = Signer("Box Sign", usage="digital_signature")
    assert seen(someone.sign(blank()), trust=someone.root)[0] is Outcome.TRUSTED


def test_a_second_signature_leaves_the_first_one_good():
    """The first then covers its revision, and the change after it is one that it permits."""
    both = Signer("John Roe").sign(signed(), "Signature2")
    outcome, _, (first, second) = seen(both, trust=jane().root)
    assert outcome is Outcome.INTACT
    assert (first["coverage"], first["modification"]) == ("whole_revision", "form_filling")
    assert (first["trusted"], second["trusted"]) == (True, False)
    assert second["signer"] == "John Roe"


def test_a_time_stamp_is_told_and_judged():
    """When the time-stamping service says it was; its trust is a question of its own."""
    stamped = jane().sign(blank(), stamped=DummyTimeStamper)
    outcome, _, (one,) = seen(stamped, trust=jane().root)
    assert outcome is Outcome.TRUSTED
    assert one["timestamp"] == {"at": NOW.isoformat(), "valid": True, "trusted": False}
    outcome, text, _ = seen(jane().sign(blank(), stamped=WrongClock), trust=jane().root)
    assert outcome is Outcome.BROKEN
    assert "time stamp" in text


def test_a_changed_byte_breaks_it():
    """What was signed is no longer there: the verdict says so, and names whose signature it was."""
    changed = signed().replace(b"Order 1042", b"Order 1043")
    assert changed != signed()
    outcome, text, (one,) = seen(changed, trust=jane().root)
    assert outcome is Outcome.BROKEN
    assert not one["intact"]
    assert "Jane Example" in text


def test_a_forbidden_change_after_signing_breaks_it():
    """An incremental update that rewrites the page leaves the signed bytes alone, and is seen."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(BytesIO(signed()))
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Contents"].get_object()._data = b"BT (You owe me) Tj ET"
    page["/MediaBox"][2] = page["/MediaBox"][2].__class__(100)
    writer.update_container(page)
    out = BytesIO()
    writer.write(out)
    outcome, _, (one,) = seen(out.getvalue())
    assert outcome is Outcome.BROKEN
    assert one["intact"]
    assert not one["modification_ok"]
    assert one["modification"] == "suspicious"


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (blank(), Outcome.UNSIGNED),
        (encrypted(), Outcome.ENCRYPTED),
        (encrypted(owner_only=True), Outcome.UNSIGNED),
        (b"", Outcome.DAMAGED),
        (b"%PDF-1.7 and nothing else", Outcome.DAMAGED),
        (b"PK\x03\x04 no pdf at all", Outcome.DAMAGED),
        (signed()[:-200], Outcome.DAMAGED),
    ],
    ids=["unsigned", "encrypted", "owner password", "empty", "head only", "zip", "cut off"],
)
def test_what_cannot_be_judged_is_said_in_words(content, outcome):
    """No input raises; each has its outcome and a sentence."""
    found, text, signatures = seen(content)
    assert found is outcome
    assert text.endswith(".")
    assert signatures == []


@settings(max_examples=40)
@given(st.data())
def test_no_damage_is_taken_for_a_good_signature(data):
    """A flipped byte anywhere never raises; if the file changed where it was signed, it is seen."""
    content = bytearray(signed())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    outcome, text, _ = seen(bytes(content), trust=jane().root)
    assert text
    hole = signed().index(b"/Contents <") if b"/Contents <" in signed() else None
    end = signed().index(b">", hole) if hole else 0
    if hole is None or not hole <= place <= end:
        assert outcome in (Outcome.BROKEN, Outcome.DAMAGED, Outcome.UNSIGNED, Outcome.ENCRYPTED)


def test_a_file_that_takes_too_long_is_not_judged():
    """The child is ended; the verdict says why there is none."""
    found = judge(signed(), now=NOW, timeout_s=0.01)
    assert found["outcome"] == "unjudged"
    assert "too much time" in found["text"]


def test_a_file_that_is_too_large_is_not_even_tried():
    """The limit in bytes comes before any process."""
    found = judge(signed(), now=NOW, most_bytes=100)
    assert (found["outcome"], found["signatures"]) == ("unjudged", [])


def test_a_page_tree_that_names_itself_ends_in_words():
    """A loop in the file must not loop here."""
    with pikepdf.open(BytesIO(blank())) as pdf:
        pdf.Root.Pages.Kids = pikepdf.Array([pdf.Root.Pages])
        pdf.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([]))
        form = pdf.make_indirect(pikepdf.Dictionary(T="a"))
        form.Kids = pikepdf.Array([form])
        pdf.Root.AcroForm.Fields.append(form)
        out = BytesIO()
        pdf.save(out)
    assert judge(out.getvalue(), now=NOW)["outcome"] in ("damaged", "unsigned", "unjudged")


def test_the_trust_file_is_checked_when_it_is_read(tmp_path):
    """A wrong file is an error of configuration, not a silent lack of trust."""
    file = tmp_path / "roots.pem"
    with pytest.raises(ConfigError, match="No such file"):
        read_trust(file)
    file.write_text("no certificate")
    with pytest.raises(ConfigError, match="BEGIN CERTIFICATE"):
        read_trust(file)
    file.write_bytes(jane().root)
    assert read_trust(file) == jane().root
    assert read_trust(None) == b""
