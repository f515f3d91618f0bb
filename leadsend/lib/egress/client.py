"""The one HTTP client for addresses that a user can influence."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.connector import AddrInfoType
from yarl import URL

from leadsend.lib.egress.addresses import Address, is_public, parse_address
from leadsend.lib.egress.journey import Journey, first_leg, next_leg
from leadsend.lib.egress.policy import REFUSED, Policy
from leadsend.lib.egress.reading import read_body
from leadsend.lib.egress.resolving import GuardedResolver, Lookup, look_up
from leadsend.lib.egress.urls import check_host_name
from leadsend.lib.errors import PermanentError, RetryableError
from leadsend.lib.input_guard import clean_text

CONNECT_TIMEOUT_S = 5.0
LONGEST_TIMEOUT_S = 300.0
MOST_REDIRECTS = 3
MOST_CONNECTIONS = 500

_Answer_co = TypeVar("_Answer_co", covariant=True)
_Answer = TypeVar("_Answer")


class MakeAnswer(Protocol[_Answer_co]):
    """Makes what the caller wants to see of a response (``registry.sdk.action.HttpResponse``)."""

    def __call__(self, *, status: int, headers: Mapping[str, str], body: bytes) -> _Answer_co:
        """Return the answer; header names are in lower case."""
        ...


@dataclass(slots=True)
class _Sent:
    """Whether a connection was there, so that bytes may have left."""

    maybe: bool = False


class EgressClient(Generic[_Answer]):
    """Sends requests through the guard; one pool of connections for each event loop.

    Shared by all executions of a process. Close it inside the loop that used it.
    """

    def __init__(
        self, policy: Policy, *, answer: MakeAnswer[_Answer], lookup: Lookup = look_up
    ) -> None:
        self._policy = policy
        self._answer = answer
        self._lookup = lookup
        self._cleared: set[tuple[Address, int]] = set()
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = (
            WeakKeyDictionary()
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = 30.0,
    ) -> _Answer:
        """Send one request and return its answer, whatever its status is.

        ``timeout_s`` (at most 300) spans everything: look-up, redirects, the last byte of the
        body. Raises PermanentError (``egress_refused``, ``response_too_large``, ``tls`` …) or
        RetryableError, with ``uncertain`` when the request may have arrived.
        """
        journey = first_leg(method, url, headers or {}, body)
        sent = _Sent()
        try:
            async with asyncio.timeout(min(timeout_s, LONGEST_TIMEOUT_S)):
                return await self._travel(journey, sent)
        except TimeoutError as error:
            raise RetryableError(
                f"{journey.url.host} gave no full answer within {timeout_s:g} s.",
                code="timeout",
                uncertain=sent.maybe,
            ) from error
        except aiohttp.ClientError as error:
            raise _translated(error, journey.url, uncertain=sent.maybe) from error

    async def close(self) -> None:
        """Close the connections of the running loop."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    async def _travel(self, journey: Journey, sent: _Sent) -> _Answer:
        for _ in range(MOST_REDIRECTS + 1):
            self._check_literal(journey.url)
            sent.maybe = False
            async with self._session().request(
                journey.method,
                journey.url,
                headers=journey.headers,
                data=journey.body,
                allow_redirects=False,
                trace_request_ctx=sent,
            ) as response:
                onward = next_leg(journey, response.status, response.headers.get("Location"))
                if onward is None:
                    body = await read_body(response)
                    return self._answer(
                        status=response.status, headers=_joined(response), body=body
                    )
            journey = onward
        raise PermanentError(
            f"The service redirects more than {MOST_REDIRECTS} times.", code=REFUSED
        )

    def _check_literal(self, url: URL) -> None:
        """Check a host that is an address: the client never asks the resolver for those."""
        host = check_host_name(url.raw_host or "")
        address = parse_address(host)
        if address is not None and url.port:
            self._policy.check_address(host, address, url.port)
            self._clear(address, url.port)

    def _clear(self, address: Address, port: int) -> None:
        if not is_public(address):
            self._cleared.add((address, port))

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            session = self._sessions[loop] = self._new_session()
        return session

    def _new_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=MOST_CONNECTIONS,
            ttl_dns_cache=10,
            keepalive_timeout=15,
            resolver=GuardedResolver(self._policy, self._lookup, self._clear),
            socket_factory=self._open_socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "LeadSend", "Accept-Encoding": "gzip, deflate"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            trust_env=False,
            auto_decompress=False,
            trace_configs=[_tracing()],
        )

    def _open_socket(self, info: AddrInfoType) -> socket.socket:
        """Open the socket of one connection: the last look, whatever came before it."""
        family, kind, protocol, _, target = info
        address = parse_address(str(target[0]))
        port = int(target[1])
        if address is None or not (is_public(address) or (address, port) in self._cleared):
            raise OSError(errno.EACCES, "the address was not let through")
        opened = socket.socket(family, kind, protocol)
        opened.setblocking(False)
        with suppress(OSError):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened


def _tracing() -> aiohttp.TraceConfig:
    async def mark(_session: aiohttp.ClientSession, context: Any, _params: object) -> None:
        context.trace_request_ctx.maybe = True

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(mark)
    tracing.on_connection_reuseconn.append(mark)
    return tracing


def _joined(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key, text = clean_text(name).lower(), clean_text(value)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _translated(
    error: aiohttp.ClientError, url: URL, *, uncertain: bool
) -> PermanentError | RetryableError:
    if isinstance(error, aiohttp.InvalidURL):
        return PermanentError("The address cannot be read as a URL.", code=REFUSED)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return PermanentError(
            f"The certificate of {url.host} is not valid; the call was not made.", code="tls"
        )
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return RetryableError(f"{url.host} cannot be reached.", code="unreachable")
    return RetryableError(
        f"The connection to {url.host} broke before the whole answer was there.",
        code="connection_lost",
        uncertain=uncertain,
    )
