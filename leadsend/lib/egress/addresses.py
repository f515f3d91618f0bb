"""Which internet addresses may be called: pure rules, no look-ups.

Written as an allow-list over IANA's special-purpose registries, so that it does not depend on
what the ``ipaddress`` of one Python version believes to be global.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

Address = IPv4Address | IPv6Address

_SPECIAL_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_TEREDO = IPv6Network("2001::/32")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)
_LOW_32 = 0xFFFF_FFFF


@lru_cache(maxsize=2048)
def parse_address(text: str) -> Address | None:
    """Return the address that a host spells canonically, or None when it is a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=2048)
def is_public(address: Address) -> bool:
    """Return whether the address, and every address wrapped in it, is on the public internet."""
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _SPECIAL_V4)
    wrapped = wrapped_addresses(address)
    if not all(is_public(inner) for inner in wrapped):
        return False
    if address.ipv4_mapped is not None or address in _NAT64 or address in _TEREDO:
        return True
    return _is_public_v6(address)


def wrapped_addresses(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that a mapped, 6to4, Teredo, NAT64 or ISATAP address leads to."""
    found: list[IPv4Address] = []
    if address.ipv4_mapped is not None:
        found.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    low = IPv4Address(int(address) & _LOW_32)
    if address in _NAT64 or (int(address) >> 32) & _LOW_32 in _ISATAP:
        found.append(low)
    return tuple(found)


def unmapped(address: Address) -> Address:
    """Return the IPv4 address for ``::ffff:a.b.c.d``, for comparing with the operator's list."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_public_v6(address: IPv6Address) -> bool:
    special = any(address in network for network in _SPECIAL_V6)
    return address in _GLOBAL_V6 and not special and not address.scope_id
