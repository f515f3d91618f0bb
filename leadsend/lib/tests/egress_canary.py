"""A server that counts connections, and clients of the guard to attack it with."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from leadsend.lib.egress.client import EgressClient
from leadsend.lib.egress.policy import ORDINARY_PORTS, make_policy
from leadsend.lib.egress.resolving import look_up
from leadsend.lib.errors import LeadSendError


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Canary:
    """A server on 0.0.0.0 and :: that counts connections and keeps what was asked."""

    port: int = 0
    connections: int = 0
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve_one(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        method, path, _ = first.split(" ")
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append((method, path, headers, body))
        answer = self.answers.get(path, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if callable(answer):
            await answer(writer)
            return False
        writer.write(answer)
        await writer.drain()
        return True


@asynccontextmanager
async def canary(answers=None):
    found = Canary(answers=answers or {})
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", 0))
    found.port = sock.getsockname()[1]
    server = await asyncio.start_server(found.serve, sock=sock)
    try:
        yield found
    finally:
        server.close()


@asynccontextmanager
async def client(*, allow=(), ports=(), lookup=look_up):
    policy = make_policy(allow, {*ORDINARY_PORTS, *ports})
    made = EgressClient[Answer](policy, answer=Answer, lookup=lookup)
    try:
        yield made
    finally:
        await made.close()


def names(answers):
    async def lookup(host, port):
        await asyncio.sleep(0)
        if host not in answers:
            raise OSError("not found")
        found = answers[host]
        return found.pop(0) if found and isinstance(found[0], list) else found

    return lookup


def redirect(target, status=302):
    return f"HTTP/1.1 {status} X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()


def ok(body, *headers):
    head = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def code_of(guard, url):
    try:
        answer = await guard.request("GET", url, timeout_s=10)
    except LeadSendError as error:
        return error.code
    return answer.status
