"""Addresses: every rule of seed 004 by itself, and no two readings of what passes."""

from urllib.parse import urlsplit

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from inkwire.delivery.addresses import broken_rules, check_address
from inkwire.errors import InvalidInput

GOOD = [
    "https://www.boxc.com/path/to/script",
    "http://boxc.com/path/to/script",
    "https://www.example.com/path",
    "HTTPS://WWW.Example.COM/Path",
    "https://example.com:8443/hook?token=a%20b&x=1",
    "http://sink:8080/hook",
    "http://192.0.2.1/hook",
    "http://[2001:db8::1]:8080/hook",
    "https://xn--mnchen-3ya.de/haken",
    "https://example.com//hook",
    "https://example.com/a:b@c;d=e,f+g~h!$&'()*",
    "https://3com.com/x",
    "https://a-b.c-d.io/..x/.y",
]
BAD = [
    ("https://www.boxc.com", {"path"}),
    ("https://www.boxc.com/", {"path"}),
    ("https://www.boxc.com/?a=b", {"path"}),
    ("https://www.boxc.com//", {"path"}),
    ("http://192.0.2.1", {"path"}),
    ("http://192.0.2.1/", {"path"}),
    ("https://www.boxc.com?x=/path", {"path"}),
    ("https://h.example/a/../b", {"path"}),
    ("https://h.example/./b", {"path"}),
    ("https://h.example/a/%2e%2E/b", {"path"}),
    ("http://localhost/hook", {"localhost"}),
    ("http://LOCALHOST:8080/hook", {"localhost"}),
    ("http://my.localhost.example.com/hook", {"localhost"}),
    ("http://notlocalhost.com/hook", {"localhost"}),
    ("ftp://example.com/x", {"scheme"}),
    ("javascript:alert(1)", {"scheme", "hostname"}),
    ("//example.com/x", {"scheme"}),
    ("example.com/x", {"scheme", "hostname"}),
    ("https:///x", {"hostname"}),
    ("https://-a.com/x", {"hostname"}),
    ("https://a-.com/x", {"hostname"}),
    ("https://a_b.com/x", {"hostname"}),
    ("https://a..com/x", {"hostname"}),
    ("https://a.com./x", {"hostname"}),
    ("https://.a.com/x", {"hostname"}),
    ("https://" + "a" * 64 + ".com/x", {"hostname"}),
    ("https://example.123/x", {"hostname"}),
    ("https://example.0x1f/x", {"hostname"}),
    ("http://127.1/x", {"hostname"}),
    ("http://2130706433/x", {"hostname"}),
    ("http://0x7f000001/x", {"hostname"}),
    ("http://0177.0.0.1/x", {"hostname"}),
    ("http://256.0.0.1/x", {"hostname"}),
    ("http://[::1/x", {"hostname"}),
    ("http://[::1]x/y", {"hostname"}),
    ("http://[fe80::1%25eth0]/x", {"hostname"}),
    ("http://[v1.x]/x", {"hostname"}),
    ("http://::1/x", {"hostname", "port"}),
    ("https://münchen.de/x", {"hostname"}),
    ("https://example。com/x", {"hostname"}),
    ("https://xn--a/x", {"hostname"}),
    ("https://ex%61mple.com/x", {"hostname"}),
    ("https://example.com\\@evil.com/x", {"userinfo"}),
    ("https://example.com\\.evil.com/x", {"hostname"}),
    ("https://ex ample.com/x", {"hostname"}),
    ("https://user:pass@example.com/x", {"userinfo"}),
    ("https://@example.com/x", {"userinfo"}),
    ("https://a@b@example.com/x", {"userinfo"}),
    ("https://example.com/x#part", {"fragment"}),
    ("https://example.com/x#", {"fragment"}),
    ("https://example.com:0/x", {"port"}),
    ("https://example.com:65536/x", {"port"}),
    ("https://example.com:/x", {"port"}),
    ("https://example.com:080/x", {"port"}),
    ("https://example.com:٣/x", {"port"}),
    ("https://example.com:8a/x", {"port"}),
    ("https://example.com/a b", {"characters"}),
    ("https://example.com/a\\b", {"characters"}),
    ("https://example.com/a\tb", {"characters"}),
    ("https://example.com/a\nb", {"characters"}),
    ("https://example.com/\n", {"characters"}),
    ("https://example.com/x\x00", {"characters"}),
    ("https://example.com/é", {"characters"}),
    ("https://example.com/%zz", {"characters"}),
    ("https://example.com/%4", {"characters"}),
    ("https://example.com/x?a[]=1", {"characters"}),
    ("https://example.com/x?a=b c", {"characters"}),
    (" https://example.com/x", {"scheme"}),
    ("https://example.com/" + "x" * 109, {"length"}),
    ("", {"scheme", "hostname", "path"}),
    ("https://user@localhost:0", {"userinfo", "port", "localhost", "path"}),
]


@pytest.mark.parametrize("text", GOOD)
def test_good_addresses_pass_as_they_are(text):
    """Seed 004's examples and other plain addresses are taken unchanged."""
    assert broken_rules(text) == {}
    assert check_address(text) == text


@pytest.mark.parametrize(("text", "rules"), BAD)
def test_each_rule_has_its_own_error(text, rules):
    """R133, R134: an answer names exactly the rules that are broken, all at once."""
    broken = broken_rules(text)
    assert set(broken) == rules
    assert len(set(broken.values())) == len(broken)
    with pytest.raises(InvalidInput) as caught:
        check_address(text)
    assert set(caught.value.fields) == {"address"}
    assert all(sentence in caught.value.fields["address"] for sentence in broken.values())


def test_length_is_the_profiles():
    """128 characters pass for BoxC (R133), 129 do not; 2,048 for Standard Webhooks."""
    base = "https://www.example.com/"
    assert broken_rules(base + "x" * (128 - len(base))) == {}
    assert set(broken_rules(base + "x" * (129 - len(base)))) == {"length"}
    long = base + "x" * (2048 - len(base))
    assert broken_rules(long, max_length=2048) == {}
    assert set(broken_rules(long + "x", max_length=2048)) == {"length"}
    assert set(broken_rules("x" * 10_000_000)) == {"length"}


def test_https_only():
    """Where the operator wants TLS, http is refused by its own rule."""
    assert set(broken_rules("http://example.com/x", https_only=True)) == {"https"}
    assert broken_rules("HTTPS://example.com/x", https_only=True) == {}


@pytest.mark.parametrize(
    ("host", "punycode"),
    [
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("faß.de", "xn--fa-hia.de"),
        ("例え.jp", "xn--r8jz45g.jp"),
    ],
)
def test_international_names_are_told_in_punycode(host, punycode):
    """The message gives the form that is accepted, and that form is."""
    (sentence,) = broken_rules(f"https://{host}/x").values()
    assert punycode in sentence
    assert broken_rules(f"https://{punycode}/x") == {}


_AWKWARD = st.text(alphabet="ahx01.:/@[]%\\?#-_ \t\n\x00é。٣＠", max_size=30)
_PIECES = st.lists(
    st.sampled_from(
        [
            "http://",
            "https://",
            "a.com",
            "1.2.3.4",
            "[::1]",
            ":80",
            "/",
            "/x",
            "..",
            "@",
            "?",
            "#",
            "%2e",
            "\\",
            "a=b",
            ".",
            "-",
            "xn--",
            "ſ",
            "0x7f",
            ":",
            "//",
        ]
    ),
    max_size=8,
).map("".join)


@given(st.text() | _AWKWARD.map(lambda tail: f"http://a{tail}") | _PIECES)
@example("http://[::1]/a")
@example("http://a.com:80/x?y")
def test_what_passes_is_read_alike_by_all(text):
    """Three parsers see the same scheme, host, port, path and query: no gap for the guard."""
    broken = broken_rules(text, max_length=2048)
    if broken:
        assert all(isinstance(sentence, str) and sentence for sentence in broken.values())
        return
    ours, theirs, wire = urlsplit(text), URL(text, encoded=True), httptools.parse_url(text.encode())
    default = 443 if ours.scheme == "https" else 80
    assert ours.scheme == theirs.scheme == wire.schema.decode().lower()
    assert ours.hostname == theirs.raw_host.lower() == wire.host.decode().lower()
    assert (ours.port or default) == theirs.port == (wire.port or default)
    assert ours.path == theirs.raw_path == wire.path.decode()
    assert ours.query == theirs.raw_query_string == (wire.query or b"").decode()


@pytest.mark.parametrize("text", GOOD)
def test_good_addresses_are_read_alike(text):
    """The same for the samples, so that the property is known to reach its end."""
    test_what_passes_is_read_alike_by_all.hypothesis.inner_test(text)
