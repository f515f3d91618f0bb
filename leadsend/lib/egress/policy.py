"""What may be called: the operator's allow-list and the ports, as one frozen value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from leadsend.lib.egress.addresses import Address, is_public, unmapped
from leadsend.lib.errors import ConfigurationError, PermanentError

REFUSED = "egress_refused"
ORDINARY_PORTS = frozenset({80, 443, 8080, 8443})

_HOST = re.compile(r"^[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One entry of the allow-list: a host name or a network; ``port`` None opens every port."""

    host: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Decides about hosts, ports and addresses, however they were found."""

    openings: tuple[Opening, ...] = ()
    ports: frozenset[int] = ORDINARY_PORTS

    def check_address(self, host: str, address: Address, port: int) -> None:
        """Raise PermanentError unless ``host``, which resolved to ``address``, may be called.

        The message names the host and not the address: what an internal name resolves to is
        nobody's business.
        """
        if any(_opens(opening, host, address, port) for opening in self.openings):
            return
        if not is_public(address):
            raise PermanentError(
                f"{host} is not on the public internet, so it is not called. "
                "An operator can allow it with LEADSEND_EGRESS_ALLOW.",
                code=REFUSED,
            )
        if port not in self.ports:
            raise PermanentError(
                f"Port {port} of {host} is not open for calls. "
                "An operator can allow it with LEADSEND_EGRESS_ALLOW or LEADSEND_EGRESS_PORTS.",
                code=REFUSED,
            )


def make_policy(allow: Iterable[str], ports: Iterable[int]) -> Policy:
    """Return the policy of ``host-or-CIDR[:port]`` entries and the ports open for everybody.

    Raises ConfigurationError that names the entry which cannot be read.
    """
    return Policy(
        openings=tuple(parse_opening(entry) for entry in allow),
        ports=frozenset(ports) or ORDINARY_PORTS,
    )


def parse_opening(entry: str) -> Opening:
    """Return one entry: ``db.internal``, ``sink:9000``, ``10.0.0.0/8:5432``, ``[fd00::/8]:80``."""
    place, port = _split_port(entry.strip().lower())
    network = _network(place)
    if network is not None:
        return Opening(network=network, port=port)
    host = place.removesuffix(".")
    if not _HOST.match(host) or host.rsplit(".", 1)[-1].isdigit():
        raise _unreadable(entry)
    return Opening(host=host, port=port)


def _opens(opening: Opening, host: str, address: Address, port: int) -> bool:
    if opening.port not in (None, port):
        return False
    if opening.network is None:
        return opening.host == host.lower().removesuffix(".")
    return address in opening.network or unmapped(address) in opening.network


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        place, closed, port = entry[1:].partition("]")
        if not closed or port == ":":
            raise _unreadable(entry)
        port = port[1:] if port.startswith(":") else port and "?"
    elif entry.count(":") > 1:
        return entry, None
    else:
        place, colon, port = entry.partition(":")
        port = port or ("?" if colon else "")
    if not port:
        return place, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _unreadable(entry)
    return place, int(port)


def _network(place: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(place, strict=False)
    except ValueError:
        return None


def _unreadable(entry: str) -> ConfigurationError:
    return ConfigurationError(
        f"LEADSEND_EGRESS_ALLOW holds {entry!r}, which is no host-or-CIDR[:port]."
    )
