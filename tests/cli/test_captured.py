"""A captured request is read as it was sent, and what is odd about the capture is told."""

import pytest

from inkwire.cli.captured import from_parts, parse_http
from inkwire.errors import InvalidInput


def test_a_whole_request():
    """Method, path, query, repeated headers and the body's exact bytes."""
    found = parse_http(
        b"PUT /in/a?x=1&y=%20 HTTP/1.1\r\nX-A:  one \r\nx-a: two\r\n\r\n{\r\n\xff\r\n}"
    ).request
    assert (found.method, found.path, found.query) == ("PUT", "/in/a", b"x=1&y=%20")
    assert found.values(b"x-a") == [b"one", b"two"]
    assert found.body == b"{\r\n\xff\r\n}"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_headers_alone_and_either_line_end(end):
    """A request line is not needed, and an editor's line ends do no harm."""
    found = parse_http(end.join([b"A: 1", b"B: 2", b"", b'{"a":\n1}'])).request
    assert found.headers == ((b"a", b"1"), (b"b", b"2"))
    assert found.body == b'{"a":\n1}'


def test_a_line_end_that_an_editor_added():
    """Content-Length tells where the body ends; a signature over one byte more is another one."""
    found = parse_http(b"Content-Length: 2\n\n{}\n")
    assert found.request.body == b"{}"
    assert "line end" in found.notes[0]


def test_a_body_that_is_not_as_it_was_sent():
    """A reformatted body is told at once: else somebody looks for a wrong secret for hours."""
    found = parse_http(b'Content-Length: 7\n\n{"a": 1}')
    assert found.request.body == b'{"a": 1}'
    assert "7 bytes" in found.notes[0]
    assert "8" in found.notes[0]


@pytest.mark.parametrize(
    ("raw", "word"),
    [(b"Transfer-Encoding: chunked\n\n2\n{}\n0\n", "chunk"), (b"A: 1\nB: 2", "no empty line")],
)
def test_other_notes(raw, word):
    """Chunk sizes in the body, and a capture without a body."""
    assert word in parse_http(raw).notes[0]


@pytest.mark.parametrize("raw", [b"", b"{}", b"GET\n\n", b"A 1\n\n{}", b"A\xff: 1\n\n"])
def test_what_is_no_request(raw):
    """Anything else is refused with what a capture looks like."""
    with pytest.raises(InvalidInput, match="Name: value"):
        parse_http(raw)


def test_headers_and_body_apart():
    """As curl takes them."""
    found = from_parts(["X-Signature: a:b", "X-Empty:"], b"body", "s=1").request
    assert found.headers == ((b"x-signature", b"a:b"), (b"x-empty", b""))
    assert (found.body, found.query) == (b"body", b"s=1")
