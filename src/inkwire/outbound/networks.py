"""What an IP address is, where it matters for a guard. Pure.

Sources: the IANA special-purpose address registries (RFC 6890) for IPv4 and IPv6, RFC 4291 and
RFC 6052 for IPv4 inside IPv6, and the clouds' manuals for their metadata addresses.
"""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from inkwire.errors import ConfigError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Answer with credentials to whoever asks; being in an allowed network is not enough.
METADATA: frozenset[Address] = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google, Oracle, DigitalOcean …
            "169.254.170.2",  # AWS ECS
            "169.254.170.23",  # AWS EKS
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure's platform; a public number that never leaves the machine
            "192.0.0.192",  # Oracle
            "fd00:ec2::254",  # AWS
            "fd00:ec2::23",  # AWS EKS
            "fd20:ce::254",  # Google
        ),
    )
)


def _kinds(*rows: tuple[str, str]) -> tuple[tuple[Network, str], ...]:
    return tuple((ip_network(network), kind) for network, kind in rows)


#: Networks that a webhook does not reach, and what they are; the first that fits is named.
_V4 = _kinds(
    ("255.255.255.255/32", "the broadcast address"),
    ("0.0.0.0/8", "an address of this machine"),
    ("10.0.0.0/8", "a private address"),
    ("100.64.0.0/10", "an address behind a carrier's NAT"),
    ("127.0.0.0/8", "a loopback address"),
    ("169.254.0.0/16", "a link-local address"),
    ("172.16.0.0/12", "a private address"),
    ("192.0.0.0/24", "a protocol's own address"),
    ("192.0.2.0/24", "an address for documentation"),
    ("192.88.99.0/24", "an address of a 6to4 relay"),
    ("192.168.0.0/16", "a private address"),
    ("198.18.0.0/15", "an address for benchmarks"),
    ("198.51.100.0/24", "an address for documentation"),
    ("203.0.113.0/24", "an address for documentation"),
    ("224.0.0.0/4", "a multicast address"),
    ("240.0.0.0/4", "a reserved address"),
)
_V6 = _kinds(
    ("::/128", "the unspecified address"),
    ("::1/128", "a loopback address"),
    ("::ffff:0:0:0/96", "a translated IPv4 address"),
    ("::/96", "an IPv4-compatible address"),
    ("64:ff9b::/96", "an address of a NAT64 gateway"),
    ("64:ff9b:1::/48", "an address of a local NAT64 gateway"),
    ("100::/64", "a discard address"),
    ("2001::/32", "a Teredo address"),
    ("2001:2::/48", "an address for benchmarks"),
    ("2001:10::/28", "an ORCHID address"),
    ("2001:20::/28", "an ORCHID address"),
    ("2001:db8::/32", "an address for documentation"),
    ("2001::/23", "a protocol's own address"),
    ("2002::/16", "a 6to4 address"),
    ("3fff::/20", "an address for documentation"),
    ("fc00::/7", "a private (unique local) address"),
    ("fe80::/10", "a link-local address"),
    ("fec0::/10", "a site-local address"),
    ("ff00::/8", "a multicast address"),
)
#: All that is given out for the public internet so far (RFC 4291, section 2.4).
_GLOBAL_UNICAST = IPv6Network("2000::/3")

#: IPv4 in the last 32 bits: translated, compatible, NAT64, local NAT64.
_LAST_32_BITS = tuple(
    map(IPv6Network, ("::ffff:0:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48"))
)


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that a translated, compatible, NAT64, 6to4 or Teredo address leads to."""
    if isinstance(address, IPv4Address):
        return None
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _LAST_32_BITS):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def special(address: Address) -> str | None:
    """What the address is if it is not a public unicast one (`a private address` …), else None."""
    for network, kind in _V4 if isinstance(address, IPv4Address) else _V6:
        if address in network:
            return kind
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "not a public address"
    return None if address.is_global else "not a public address"


def networks(text: str) -> tuple[Network, ...]:
    """Networks of a comma-separated list in CIDR form; a bare address is a network of one.

    Raises ConfigError that names the part that is none.
    """
    found: list[Network] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError as error:
            raise ConfigError(
                f"INKWIRE_OUTBOUND_ALLOW: {part!r} is no network ({error}); "
                "write it like 10.20.0.0/16 or fd00:1234::/48, separated by commas."
            ) from None
    return tuple(found)


def names_exactly(allow: Iterable[Network], address: Address) -> bool:
    """Whether one of the networks is this single address."""
    return any(
        network.num_addresses == 1 and network.network_address == address for network in allow
    )


def within(allow: Iterable[Network], address: Address) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in allow)
