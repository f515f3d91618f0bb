"""Which addresses (URLs) and headers an outgoing request may have: pure rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from yarl import URL

from leadsend.lib.egress.addresses import parse_address
from leadsend.lib.egress.policy import REFUSED
from leadsend.lib.errors import PermanentError

LONGEST_URL = 8192
LARGEST_HEADERS_BYTES = 64 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_BLANK_OR_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\\\u2028\u2029\ud800-\udfff]")
_NAME = re.compile(r"^[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?$")
# What inet_aton would read as a number: 2130706433, 0x7f.1, 0177.0.0.1, 127.1.
_NUMBER_LABEL = re.compile(r"^(?:[0-9]+|0x[0-9a-f]*)$")
_HEADER_NAME = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
_HEADER_VALUE = re.compile(r"^[\t\x20-\x7e\x80-\uffff]*$")
# These belong to the connection; set by a user they would smuggle a second request or host.
_OURS = frozenset(
    [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "proxy-authorization",
        "proxy-connection",
        "accept-encoding",
    ]
)


@lru_cache(maxsize=2048)
def check_url(text: str) -> URL:
    """Return the parsed URL of a request. Raises PermanentError (``egress_refused``).

    The host is taken from the parser that the client connects with, and is spelt canonically.
    """
    if len(text) > LONGEST_URL or _BLANK_OR_CONTROL.search(text):
        raise _refused("The address is longer than 8192 characters or holds blanks.")
    try:
        url = URL(text)
        port = url.port
    except (ValueError, TypeError) as error:
        raise _refused("The address cannot be read as a URL.") from error
    if url.scheme not in ("http", "https"):
        raise _refused("The address must start with https:// or http://.")
    _check_authority(text, url)
    if not port:
        raise _refused("The address names port 0.")
    return url.with_fragment(None)


def check_redirect(base: URL, location: str) -> URL:
    """Return where a redirect leads, checked like any address. Raises PermanentError."""
    if len(location) > LONGEST_URL or _BLANK_OR_CONTROL.search(location):
        raise _refused("The service redirects to an address that cannot be read.")
    try:
        target = base.join(URL(location))
    except (ValueError, TypeError) as error:
        raise _refused("The service redirects to an address that cannot be read.") from error
    if "@" in urlsplit(location).netloc:
        raise _refused("The service redirects to an address that holds a user name.")
    return check_url(str(target))


@lru_cache(maxsize=2048)
def check_host_name(host: str) -> str:
    """Return the host in lower case without a trailing dot. Raises PermanentError.

    A name whose last label is a number must be a canonical IPv4 address: look-ups would read
    ``127.1`` and ``0x7f000001`` as addresses too.
    """
    name = host.lower().removesuffix(".")
    address = parse_address(name)
    if address is not None:
        if "%" in name:
            raise _refused("The address names a network interface.")
        return name
    if not _NAME.match(name) or ".." in name:
        raise _refused("The address names no valid host.")
    if _NUMBER_LABEL.match(name.rsplit(".", 1)[-1]):
        raise _refused("The host looks like a number; write the IP address with four parts.")
    return name


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers as they may be sent. Raises PermanentError that names the bad one."""
    size = 0
    for name, value in headers.items():
        if not _HEADER_NAME.match(name) or not _HEADER_VALUE.match(value):
            raise _refused(f"The header {name!r} holds a line break or another forbidden sign.")
        if name.lower() in _OURS:
            raise _refused(f"The header {name} is set by LeadSend itself; leave it out.")
        size += len(name) + len(value.encode()) + 4
    if size > LARGEST_HEADERS_BYTES:
        raise _refused("The headers together are larger than 64 kB.")
    return dict(headers)


def check_method(method: str) -> str:
    """Return the method in capitals. Raises PermanentError when it is none of ours."""
    if method.upper() not in METHODS:
        raise _refused(f"The method must be one of {', '.join(sorted(METHODS))}.")
    return method.upper()


def is_same_origin(first: URL, second: URL) -> bool:
    """Return whether credentials may follow from one URL to the next.

    The step from http to https of the same host on their usual ports counts as the same.
    """
    if (first.scheme, first.raw_host, first.port) == (second.scheme, second.raw_host, second.port):
        return True
    lifted = (first.scheme, second.scheme) == ("http", "https")
    usual = first.is_default_port() and second.is_default_port()
    return lifted and usual and first.raw_host == second.raw_host


def _check_authority(text: str, url: URL) -> None:
    # The second opinion: where two parsers disagree about the host, nobody is called.
    try:
        authority = urlsplit(text).netloc
    except ValueError as error:
        raise _refused("The address cannot be read as a URL.") from error
    if "@" in authority or url.raw_user is not None or url.raw_password is not None:
        raise _refused("The address holds a user name; use a connection for that.")
    if not url.raw_host or "%" in authority:
        raise _refused("The address names no valid host.")
    check_host_name(url.raw_host)


def _refused(message: str) -> PermanentError:
    return PermanentError(message, code=REFUSED)
