"""The guard against requests to internal addresses (SSRF): which hosts a webhook may reach."""

from ipaddress import IPv4Address, IPv6Address

from inkwire.errors import AddressRefused
from inkwire.outbound.hosts import (
    is_canonical,
    malformed,
    names_metadata,
    names_this_machine,
    read_literal,
)
from inkwire.outbound.networks import (
    METADATA,
    Address,
    Network,
    embedded,
    names_exactly,
    special,
    within,
)
from inkwire.outbound.resolving import Lookups, Resolver

_ADVICE = "webhooks reach public addresses, and networks of INKWIRE_OUTBOUND_ALLOW"
#: Seconds that whoever makes a webhook waits for its name to be looked up.
LOOK_S = 2.0
_LOOPBACK: tuple[Address, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


class Guard:
    """Says of hosts and addresses whether a webhook may reach them; resolves a name once."""

    def __init__(self, allow: tuple[Network, ...], resolver: Resolver | None) -> None:
        """`allow`: networks that may be reached although they are not public.

        `resolver`: blocking; None if an egress proxy resolves, and then names are not looked up.
        """
        self._allow = allow
        self._lookups = None if resolver is None else Lookups(resolver)

    def refusal(self, ip: Address) -> str | None:
        """Why the address may not be reached, in a sentence; None: it may be."""
        kind = self._kind(ip)
        return None if kind is None else f"{ip} is {kind}; {_ADVICE}."

    def check_host(self, host: str) -> str | None:
        """Why the host may not be reached, from its spelling alone; None: nothing against it.

        Judges literals in every form that a resolver reads, and names of this machine. Other
        names are judged by `resolve` or `look`.
        """
        literal = read_literal(host)
        if literal is not None:
            if refused := self.refusal(literal):
                return refused
            if not is_canonical(host, literal):
                return f"Write the host of the address as {literal}."
            return None
        if names_this_machine(host) and all(self._kind(ip) for ip in _LOOPBACK):
            return f"The host of the address is a name of this machine; {_ADVICE}."
        if names_metadata(host):
            return f"The host of the address is a cloud's metadata service; {_ADVICE}."
        return malformed(host)

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses to connect to, every one of them checked: connect to these and no other.

        One refused address among them refuses the name, for the next connection might take it.
        Raises AddressRefused; OSError if the name does not resolve.
        """
        if self._lookups is None:
            raise OSError("an egress proxy resolves names")
        if refused := self.check_host(host):
            raise AddressRefused(refused)
        literal = read_literal(host)
        if literal is not None:
            return (literal,)
        addresses = await self._lookups.look_up(host, port)
        if refused := self._refusal_of_name(host, addresses):
            raise AddressRefused(refused)
        return addresses

    def resolve_now(
        self, host: str, port: int, *, timeout_s: float = LOOK_S
    ) -> tuple[Address, ...]:
        """As `resolve`, for a thread, which waits at most `timeout_s` seconds for the lookup."""
        if refused := self.check_host(host):
            raise AddressRefused(refused)
        literal = read_literal(host)
        if literal is not None:
            return (literal,)
        if self._lookups is None:
            raise OSError("an egress proxy resolves names")
        addresses = self._lookups.look_up_now(host, port, timeout_s=timeout_s)
        if refused := self._refusal_of_name(host, addresses):
            raise AddressRefused(refused)
        return addresses

    def allows(self, ip: Address) -> bool:
        """Whether a network of INKWIRE_OUTBOUND_ALLOW opens that address."""
        return within(self._allow, ip) and self._kind(ip) is None

    def look(self, host: str, port: int) -> str | None:
        """As `check_host` and `resolve` for the moment a webhook is made; blocks for the lookup.

        A name that does not resolve within 2 s is not refused: it may be set up a minute later,
        and a name server that hangs on purpose must not hold the caller's thread.
        """
        if (refused := self.check_host(host)) or self._lookups is None:
            return refused
        if read_literal(host) is not None:
            return None
        try:
            addresses = self._lookups.look_up_now(host, port, timeout_s=LOOK_S)
        except OSError:
            return None
        return self._refusal_of_name(host, addresses)

    def close(self) -> None:
        """Ends the lookups that still run; `resolve` is not to be called any more."""
        if self._lookups is not None:
            self._lookups.close()

    def _refusal_of_name(self, host: str, addresses: tuple[Address, ...]) -> str | None:
        # The address itself is left out: it would tell a subscriber about the network inside.
        for kind in map(self._kind, addresses):
            if kind is not None:
                return f"{host} resolves to {kind}; {_ADVICE}."
        return None

    def _kind(self, ip: Address) -> str | None:
        """What the address is that it may not be reached; None: it may be."""
        if ip.version == 6 and ip.ipv4_mapped is not None:
            return self._kind(ip.ipv4_mapped)
        if ip in METADATA:
            # A network that holds it was hardly allowed for its sake.
            if names_exactly(self._allow, ip):
                return None
            return "an address of a cloud's metadata service"
        # A scope says which link, which no allow-list can mean.
        if ip.version == 6 and ip.scope_id is not None:
            return "an address of one link"
        kind = special(ip)
        if kind is None:
            return None
        if not within(self._allow, ip):
            return kind
        # An allowed gateway (NAT64 …) does not open what lies behind it.
        inner = None if names_exactly(self._allow, ip) else embedded(ip)
        return None if inner is None else self._kind(inner)
