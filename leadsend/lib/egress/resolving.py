"""Finds the addresses of a host once, and lets through only hosts whose every answer is allowed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from leadsend.lib.egress.addresses import Address, parse_address
from leadsend.lib.egress.policy import Policy
from leadsend.lib.egress.urls import check_host_name
from leadsend.lib.errors import RetryableError

RESOLVE_TIMEOUT_S = 5.0

# Returns the IP addresses of a host as text; raises OSError when there are none.
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]

# Of its own, so that slow name servers never fill the threads that other work needs.
_threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="egress-dns")


async def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the operating system for a host's addresses, in a thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, look_up_blocking, host, port)


def look_up_blocking(host: str, port: int) -> Sequence[str]:
    """Ask the operating system for a host's addresses. Raises OSError when there are none."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def check_answers(policy: Policy, host: str, port: int, answers: Sequence[str]) -> list[Address]:
    """Return the addresses when all of them are allowed. Raises PermanentError for the first not.

    One forbidden answer among good ones refuses the host: which one is used is up to chance.
    """
    addresses = [address for text in answers if (address := parse_address(text)) is not None]
    if not addresses or len(addresses) != len(answers):
        raise RetryableError(f"{host} has no address that can be called.", code="unreachable")
    for address in addresses:
        policy.check_address(host, address, port)
    return addresses


class GuardedResolver(AbstractResolver):
    """The resolver of the HTTP client: what it returns is checked, and is what is connected to."""

    def __init__(self, policy: Policy, lookup: Lookup, cleared: Callable[[Address, int], None]):
        self._policy = policy
        self._lookup = lookup
        self._cleared = cleared

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the checked addresses. Raises PermanentError (refused) or OSError (not found)."""
        name = check_host_name(host)
        literal = parse_address(name)
        answers = [name] if literal else await self._ask(name, port)
        addresses = check_answers(self._policy, name, port, answers)
        for address in addresses:
            self._cleared(address, port)
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Nothing is held."""

    async def _ask(self, name: str, port: int) -> Sequence[str]:
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                return await self._lookup(name, port)
        except TimeoutError as error:
            raise OSError(f"no answer within {RESOLVE_TIMEOUT_S:.0f} s") from error
        except UnicodeError as error:
            raise OSError("the name cannot be looked up") from error


def _result(host: str, address: Address, port: int) -> ResolveResult:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return ResolveResult(
        hostname=host,
        host=str(address),
        port=port,
        family=family,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
