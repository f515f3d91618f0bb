"""Connections to web services: an API key, a token, a user with a password, own headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.sdk.trigger import CredentialType

_HOSTS: Mapping[str, Any] = {
    "type": "string",
    "title": "Only for these hosts",
    "description": "Host names with commas, such as api.example.com. Left empty, for every host.",
    "x-ui": "text",
    "maxLength": 2000,
}


def _secret(title: str, description: str) -> Mapping[str, Any]:
    return {
        "type": "string",
        "title": title,
        "description": description,
        "x-ui": "secret",
        "minLength": 1,
        "maxLength": 20_000,
    }


def _form(required: list[str], **fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": {**fields, "allowed_hosts": _HOSTS},
        "required": required,
        "additionalProperties": False,
    }


API_KEY = CredentialType(
    key="api_key",
    title="API key",
    description="A key that the service gave you, sent along with every request.",
    icon="key-round",
    config_schema=_form(
        ["key"],
        header={
            "type": "string",
            "title": "Header",
            "description": "The name under which the service expects the key.",
            "x-ui": "text",
            "pattern": r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
            "default": "X-API-Key",
            "maxLength": 200,
        },
        key=_secret("Key", "Found in the service's settings, often under API."),
    ),
    secret_fields=("key",),
)
BEARER = CredentialType(
    key="bearer",
    title="Access token",
    description="A token that the service gave you, sent as Authorization: Bearer.",
    icon="ticket",
    config_schema=_form(
        ["token"], token=_secret("Token", "Found in the service's settings, without Bearer.")
    ),
    secret_fields=("token",),
)
BASIC = CredentialType(
    key="basic",
    title="User and password",
    description="A user name and a password, sent with every request.",
    icon="user-lock",
    config_schema=_form(
        ["user", "password"],
        user={
            "type": "string",
            "title": "User name",
            "description": "The name you sign in with.",
            "x-ui": "text",
            "minLength": 1,
            "maxLength": 300,
        },
        password=_secret("Password", "The password, or what the service gives in its place."),
    ),
    secret_fields=("password",),
)
CUSTOM = CredentialType(
    key="custom",
    title="Own headers",
    description="Any secret lines of a request, for services with a way of their own.",
    icon="braces",
    config_schema=_form(
        ["headers"],
        headers=_secret("Headers", "One a line, such as X-Key: abc. They are kept secret."),
    ),
    secret_fields=("headers",),
)

CREDENTIAL_TYPES = (API_KEY, BEARER, BASIC, CUSTOM)
