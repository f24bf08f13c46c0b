"""The guard: which addresses, literals and names a webhook may reach."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import AddressRefused, ConfigError
from inkwire.outbound.networks import networks
from outbound.kit import Names, guard

PUBLIC = ("8.8.8.8", "1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.128.0.0")
PUBLIC_V6 = ("2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888")
REFUSED = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255"),
    *("127.0.0.1", "127.255.255.255", "169.254.0.1", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
    *("198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255"),
    *("240.0.0.1", "255.255.255.254", "255.255.255.255"),
    *("::", "::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1"),
    *("2001:db8::1", "3fff::1", "100::1", "2001::1", "2001:10::1", "2001:20::1", "2001:2::1"),
    *("2002:808:808::1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "::8.8.8.8", "::ffff:0:8.8.8.8"),
    *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "5f00::1", "4000::1", "fe80::1%eth0"),
)
METADATA = ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16")


@pytest.mark.parametrize("text", PUBLIC + PUBLIC_V6 + ("::ffff:8.8.8.8",))
def test_public_addresses_may_be_reached(text):
    """Ordinary unicast addresses pass, IPv4 written as mapped IPv6 too."""
    assert guard("").refusal(ipaddress.ip_address(text)) is None
    assert guard("").check_host(text) is None


@pytest.mark.parametrize("text", REFUSED + METADATA)
def test_everything_else_is_refused_in_a_sentence(text):
    """Whatever is not public unicast is refused, as address and as host, and said what it is."""
    address = ipaddress.ip_address(text)
    refused = guard("").refusal(address)
    assert refused is not None and refused.endswith("networks of INKWIRE_OUTBOUND_ALLOW.")
    assert guard("").check_host(text) is not None
    if address.version == 6:
        assert guard("").check_host(f"[{text}]") is not None


@given(st.integers(0, 2**32 - 1))
def test_no_address_that_python_calls_private_passes(number):
    """An independent table (the standard library's) refuses nothing that we let pass."""
    address = ipaddress.IPv4Address(number)
    if guard("").refusal(address) is None:
        assert address.is_global and not address.is_multicast and not address.is_reserved


PREFIXES = {
    "::ffff:0:0:0": 96,
    "::": 96,
    "64:ff9b::": 96,
    "64:ff9b:1::": 96,
}


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(PREFIXES)))
def test_an_allowed_gateway_does_not_open_the_network_behind_it(number, prefix):
    """IPv4 inside an allowed NAT64 or translated network is judged as the IPv4 that it is."""
    inner = ipaddress.IPv4Address(number)
    outer = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + number)
    opened = guard(f"{prefix}/{PREFIXES[prefix]}")
    assert (opened.refusal(outer) is None) is (guard("").refusal(inner) is None)
    assert guard("").refusal(outer) is not None


def test_6to4_and_teredo_are_judged_by_what_they_lead_to():
    """2002:7f00:1:: is a way to 127.0.0.1, even where 6to4 is allowed; so is Teredo's inverse."""
    opened = guard("2002::/16, 2001::/32")
    assert opened.refusal(ipaddress.ip_address("2002:808:808::1")) is None
    assert opened.refusal(ipaddress.ip_address("2002:7f00:1::1")) is not None
    inverse = f"{(~int(ipaddress.ip_address('10.0.0.1'))) & 0xFFFFFFFF:08x}"
    teredo = f"2001:0:4136:e378:8000:63bf:{inverse[:4]}:{inverse[4:]}"
    assert opened.refusal(ipaddress.ip_address(teredo)) is not None


def test_mapped_addresses_follow_the_allow_list_of_their_ipv4():
    """An allowed 10.0.0.0/8 holds ::ffff:10.1.2.3, and no more than that."""
    opened = guard("10.0.0.0/8")
    assert opened.refusal(ipaddress.ip_address("::ffff:10.1.2.3")) is None
    assert opened.refusal(ipaddress.ip_address("::ffff:192.168.0.1")) is not None


def test_an_allowed_network_opens_itself_only():
    """CIDR by CIDR: neighbours stay shut."""
    opened = guard("10.20.0.0/16, fd00:1234::/48,127.0.0.1")
    for text in ("10.20.0.0", "10.20.255.255", "fd00:1234::1", "127.0.0.1"):
        assert opened.refusal(ipaddress.ip_address(text)) is None
    for text in ("10.19.255.255", "10.21.0.0", "fd00:1235::1", "127.0.0.2", "::1"):
        assert opened.refusal(ipaddress.ip_address(text)) is not None


@pytest.mark.parametrize("text", METADATA)
def test_metadata_needs_to_be_allowed_by_its_very_address(text):
    """Credentials of the cloud are not for webhooks, even inside a network that is allowed."""
    address = ipaddress.ip_address(text)
    wide = "0.0.0.0/0" if address.version == 4 else "::/0"
    near = ipaddress.ip_network(f"{text}/{address.max_prefixlen - 1}", strict=False)
    assert guard(wide).refusal(address) is not None
    assert guard(str(near)).refusal(address) is not None
    assert guard(text).refusal(address) is None
    if address.version == 4:
        assert guard(wide).refusal(ipaddress.ip_address(f"::ffff:{text}")) is not None
        assert guard("64:ff9b::/96,0.0.0.0/0").refusal(ipaddress.ip_address(f"64:ff9b::{text}"))


def written(number: int, parts: int, bases: tuple[int, ...], upper: bool) -> str:
    """An IPv4 number in `parts` parts, each in a base: what `inet_aton` reads."""
    shown = [(number >> (24 - 8 * place)) & 0xFF for place in range(parts - 1)]
    shown.append(number & (256 ** (5 - parts) - 1))
    forms = {8: "0{:o}", 10: "{}", 16: "0x{:x}"}
    text = ".".join(forms[base].format(one) for one, base in zip(shown, bases, strict=False))
    return text.upper().replace("0X", "0X" if upper else "0x") if upper else text


@given(
    st.one_of(
        st.integers(0, 2**32 - 1),
        st.sampled_from([int(ipaddress.ip_address(text)) for text in REFUSED[:24]]),
    ),
    st.integers(1, 4),
    st.tuples(*[st.sampled_from([8, 10, 16])] * 4),
    st.booleans(),
    st.sampled_from(["", ".", ".."]),
    st.sampled_from(["plain", "full-width", "ideographic dots", "circled"]),
)
def test_literals_in_every_disguise(number, parts, bases, upper, end, dress):
    """What the C library reads as an address is judged as that address, however it is written."""
    text = written(number, parts, bases, upper)
    address = ipaddress.IPv4Address(socket.inet_aton(text))
    host = text + end
    if dress == "full-width":
        host = "".join(chr(ord(one) + 0xFEE0) for one in host)
    elif dress == "ideographic dots":
        host = host.replace(".", "。")
    elif dress == "circled":
        host = host.translate({ord("1") + one: 0x2460 + one for one in range(9)})
    refused = guard("").check_host(host)
    if guard("").refusal(address) is not None:
        assert refused == guard("").refusal(address)
    elif host == str(address):
        assert refused is None
    else:
        assert refused == f"Write the host of the address as {address}."


@given(st.from_regex(r"[0-9a-fxX.]{1,20}", fullmatch=True))
def test_nothing_that_the_c_library_reads_slips_through_as_a_name(text):
    """For any such text: if `inet_aton` reads a refused address, so do we."""
    try:
        address = ipaddress.IPv4Address(socket.inet_aton(text))
    except OSError:
        return
    if guard("").refusal(address) is not None:
        assert guard("").check_host(text) is not None


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "localhost.", "a.b.localhost", "localhost.localdomain"),
        *("ip6-localhost", "ip6-loopback", "localhost6", "ｌｏｃａｌｈｏｓｔ", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ"),
        *(
            "local\u00adhost",
            "local\u200bhost",
            "foo。localhost",
            "loca\u017fhost".replace("ſ", "l"),
        ),
        "xn--" + "ｌocalhost".encode("punycode").decode(),
        "xn--" + "１27".encode("punycode").decode() + ".0.0.1",
        *("metadata.google.internal", "METADATA", "metadata.google.internal."),
        *(
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "[::1]",
            "[::ffff:7f00:1]",
            "[fe80::1%25eth0]",
        ),
        *("", ".", "a..b", "a b", "a\x00b", "a%00b", "a/b", "a@b", "a:b", "[::1", "1.2.3.4.5"),
        *("256.256.256.256", "1.2.3.08", "example.1", "x" * 64 + ".com", "a." * 130),
    ],
)
def test_hosts_that_are_refused_by_their_spelling(host):
    """Names of this machine in any dress, and what is no host at all."""
    assert guard("").check_host(host) is not None


@pytest.mark.parametrize(
    "host",
    [
        *("example.com", "EXAMPLE.com.", "hooks_1.example.com", "bücher.example"),
        *("xn--bcher-kva.example", "localhost.example.com", "notlocalhost", "a-1.b2.c3"),
    ],
)
def test_ordinary_names_are_not_refused_by_their_spelling(host):
    """International names, underscores, an end dot and one label are names like others."""
    assert guard("").check_host(host) is None


def test_an_allowed_loopback_opens_its_names():
    """`localhost` may be written where the operator allows loopback."""
    assert guard("127.0.0.1/32").check_host("localhost") is None


async def test_one_private_address_among_public_ones_refuses_the_name():
    """Rebinding by mixed answers: the place in the list does not matter, and nothing is told."""
    names = Names(mixed_test=[["8.8.8.8", "10.1.2.3"]], good_test=[["8.8.8.8", "2606:4700::1"]])
    mixed = guard("", names)
    with pytest.raises(AddressRefused, match="a private address") as refused:
        await mixed.resolve("mixed.test", 443)
    assert "10.1.2.3" not in str(refused.value), "names inside are not for subscribers to learn"
    assert mixed.look("mixed.test", 443) == str(refused.value)
    assert mixed.look("good.test", 443) is None
    found = await mixed.resolve("good.test", 443)
    assert found == tuple(map(ipaddress.ip_address, ("8.8.8.8", "2606:4700::1")))


async def test_resolving_checks_the_spelling_first_and_asks_once():
    """A literal or local name is never looked up; a name is looked up exactly once."""
    names = Names(good_test=[["8.8.8.8"]])
    strict = guard("", names)
    for host in ("127.0.0.1", "localhost", "0x7f.1"):
        with pytest.raises(AddressRefused):
            await strict.resolve(host, 80)
        assert strict.look(host, 80) is not None
    assert await strict.resolve("8.8.8.8", 80) == (ipaddress.ip_address("8.8.8.8"),)
    assert names.asked == []
    await strict.resolve("good.test", 80)
    assert names.asked == ["good.test"]


async def test_a_name_that_does_not_resolve_is_not_refused_when_a_webhook_is_made():
    """It may be set up a minute later; sending raises OSError, which becomes DNS."""
    strict = guard("")
    assert strict.look("later.test", 443) is None
    with pytest.raises(OSError, match="not known"):
        await strict.resolve("later.test", 443)


async def test_an_empty_answer_is_no_address():
    """A resolver that answers nothing is as one that fails."""
    with pytest.raises(OSError, match="no address"):
        await guard("", Names(empty_test=[[]])).resolve("empty.test", 443)


def test_the_allow_list_names_what_is_wrong():
    """An operator's slip is a ConfigError with the part that is wrong, not a hole."""
    assert networks(" ") == ()
    for text in ("10.20.0.1/16", "10.0.0.0/33", "example.com", "10.0.0.0-10.0.0.9"):
        with pytest.raises(ConfigError, match="INKWIRE_OUTBOUND_ALLOW") as wrong:
            networks(f"127.0.0.1/32,{text}")
        assert text in str(wrong.value)
