"""Puts a credential's fields into the headers of a request: one way per credential type."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from leadsend.lib.errors import ConfigurationError

Fields = Mapping[str, str]


def auth_headers(fields: Fields, url: str) -> dict[str, str]:
    """Return the headers that sign a call to ``url`` with an opened credential.

    ``fields`` holds the credential's own fields, ``type`` and perhaps ``allowed_hosts``. Raises
    ConfigurationError when it cannot sign web calls, or is not meant for this host.
    """
    make = _WAYS.get(fields.get("type", ""))
    if make is None:
        raise ConfigurationError("This connection cannot be used for web calls: choose another.")
    _check_host(fields.get("allowed_hosts", ""), urlsplit(url).hostname or "")
    return make(fields)


def _check_host(allowed: str, host: str) -> None:
    names = [name for name in allowed.replace(",", " ").lower().split() if name]
    if names and not any(_matches(name, host) for name in names):
        raise ConfigurationError(
            f"This connection is not meant for {host}: its owner allows {', '.join(names)} only."
        )


def _matches(name: str, host: str) -> bool:
    if name.startswith("*."):
        return host.endswith(name[1:]) and host != name[2:]
    return host == name


def _api_key(fields: Fields) -> dict[str, str]:
    return {fields.get("header") or "X-API-Key": fields["key"]}


def _bearer(fields: Fields) -> dict[str, str]:
    return {"Authorization": f"Bearer {fields['token']}"}


def _basic(fields: Fields) -> dict[str, str]:
    pair = f"{fields['user']}:{fields['password']}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _custom(fields: Fields) -> dict[str, str]:
    headers = {}
    for line in fields["headers"].splitlines():
        name, colon, value = line.partition(":")
        if line.strip() and not colon:
            raise ConfigurationError("Each line of this connection must read Name: value.")
        if line.strip():
            headers[name.strip()] = value.strip()
    return headers


_WAYS: Mapping[str, Callable[[Fields], dict[str, str]]] = {
    "api_key": _api_key,
    "bearer": _bearer,
    "basic": _basic,
    "custom": _custom,
}
