"""Names of files: whatever somebody called them, they are safe as a file name and in a header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.documents.bundle import MEMBER
from inkwire.documents.names import disposition, plain_name, safe_name


@pytest.mark.parametrize(
    ("name", "safe", "plain"),
    [
        ("contract.pdf", "contract.pdf", "contract.pdf"),
        ("../../etc/passwd", "_.._etc_passwd", "etc_passwd"),
        ("Überweisung ✍️.pdf", "Überweisung ✍️.pdf", "Uberweisung_.pdf"),
        ('a"b\r\nSet-Cookie: x.pdf', "a_bSet-Cookie_ x.pdf", "a_bSet-Cookie__x.pdf"),
        ("\u202efdp.exe", "fdp.exe", "fdp.exe"),
        ("", "document", "document"),
        ("...", "document", "document"),
        ("契約書", "契約書", "document"),
    ],
)
def test_names_are_made_safe(name, safe, plain):
    """Paths, line breaks and tricks with the reading direction go; letters stay."""
    assert (safe_name(name), plain_name(name)) == (safe, plain)


@given(st.text(max_size=400))
def test_any_name_is_safe_everywhere(name):
    """As a member of a bundle, as a file name, and in a header of one line of ASCII."""
    assert MEMBER.fullmatch(f"documents/doc_1-{plain_name(name)}")
    safe = safe_name(name)
    assert safe
    assert len(safe) <= 150
    assert not set(safe) & set('/\\\r\n\x00"')
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


def test_a_long_name_keeps_its_extension():
    """A cut name still opens with the right program."""
    assert safe_name("x" * 300 + ".pdf").endswith("x.pdf")
