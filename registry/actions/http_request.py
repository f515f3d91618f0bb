"""Call a web address: sends a request to another system and reads its answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson

from leadsend.lib import clock
from leadsend.lib.errors import ConfigurationError, PermanentError, RetryableError, UnreadableInput
from leadsend.lib.input_guard import clean_text, parse_json
from leadsend.lib.redaction import register_secrets
from registry.sdk.action import Action, ActionContext, Delivery, HttpResponse
from registry.sdk.http_auth import auth_headers

LONGEST_RETRY_AFTER_S = 24 * 3600.0
RETRYABLE = frozenset({408, 425, 429})
# What will not get better by asking again.
FINAL_5XX = frozenset({501, 505})
# The server behind the gateway may have done its part.
UNCERTAIN = frozenset({502, 504})

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_CONFIG: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "method": {
            "type": "string",
            "title": "What to do",
            "description": "Fetch data, send data, change or delete it.",
            "x-ui": "choice",
            "enum": _METHODS,
            "x-labels": {
                "GET": "Fetch (GET)",
                "POST": "Send (POST)",
                "PUT": "Replace (PUT)",
                "PATCH": "Change (PATCH)",
                "DELETE": "Delete (DELETE)",
                "HEAD": "Check (HEAD)",
                "OPTIONS": "Ask what is possible (OPTIONS)",
            },
            "default": "GET",
        },
        "url": {
            "type": "string",
            "title": "Web address",
            "description": "Where the request goes, starting with https://.",
            "x-ui": "text",
            "minLength": 1,
            "maxLength": 8000,
        },
        "credential_id": {
            "type": "string",
            "title": "Connection",
            "description": "The connection that proves who you are to the other system.",
            "x-ui": "connection",
            "x-options-from": "credentials",
        },
        "query": {
            "type": "object",
            "title": "Address parameters",
            "description": "What is added to the address after the question mark.",
            "x-ui": "key_value",
            "additionalProperties": True,
        },
        "headers": {
            "type": "object",
            "title": "Headers",
            "description": "Extra lines of the request, if the other system asks for them.",
            "x-ui": "key_value",
            "additionalProperties": True,
        },
        "body_kind": {
            "type": "string",
            "title": "Kind of content",
            "description": "How the data below is written.",
            "x-ui": "choice",
            "enum": ["json", "form", "raw"],
            "x-labels": {"json": "Data fields", "form": "Web form", "raw": "Plain text"},
            "default": "json",
        },
        "body": {
            "title": "Content",
            "description": "The data to send.",
            "x-ui": "any",
        },
        "timeout_s": {
            "type": "number",
            "title": "Longest wait in seconds",
            "description": "How long to wait for the whole answer before trying again.",
            "x-ui": "number",
            "minimum": 1,
            "maximum": 300,
            "default": 30,
        },
    },
    "required": ["url"],
    "additionalProperties": False,
}
_OUTPUT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"type": "integer", "title": "Status number"},
        "headers": {
            "type": "object",
            "title": "Headers",
            "additionalProperties": {"type": "string"},
        },
        "body": {"title": "Answer"},
    },
    "required": ["status", "headers", "body"],
    "additionalProperties": False,
}


async def _run(ctx: ActionContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    url = address(str(inputs["url"]), inputs.get("query"))
    body, content_type = content(inputs.get("body_kind") or "json", inputs.get("body"))
    headers = {"Idempotency-Key": str(ctx.idempotency_key)}
    if content_type:
        headers["Content-Type"] = content_type
    headers = _merged(headers, inputs.get("headers"))
    if inputs.get("credential_id"):
        headers = _merged(headers, await _signature(ctx, str(inputs["credential_id"]), url))
    response = await ctx.http.request(
        str(inputs.get("method") or "GET"),
        url,
        headers=headers,
        body=body,
        timeout_s=_timeout(inputs.get("timeout_s")),
    )
    _raise_for_status(response, urlsplit(url).hostname or "")
    return _output(response)


async def _signature(ctx: ActionContext, credential_id: str, url: str) -> dict[str, str]:
    """Return the headers of a connection, and hide what they say: services echo them."""
    signed = auth_headers(await ctx.secret(credential_id), url)
    register_secrets(signed.values())
    register_secrets(value.partition(" ")[2] for value in signed.values())
    return signed


def address(url: str, query: Any) -> str:
    """Return the URL with the parameters added; a list makes several, None makes none."""
    parts = urlsplit(url.strip().replace(" ", "%20"))
    pairs = [
        (str(name), _parameter(value))
        for name, values in _mapping(query, "Address parameters").items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None
    ]
    if not pairs:
        return urlunsplit(parts)
    joined = "&".join(part for part in (parts.query, urlencode(pairs)) if part)
    return urlunsplit(parts._replace(query=joined))


def content(kind: str, body: Any) -> tuple[bytes | None, str]:
    """Return the bytes to send and their content type; (None, "") without a body."""
    if body is None:
        return None, ""
    if kind == "json":
        return orjson.dumps(body), "application/json"
    if kind == "form":
        form = {
            name: value for name, value in _mapping(body, "Content").items() if value is not None
        }
        return urlencode(form, doseq=True).encode(), "application/x-www-form-urlencoded"
    text = body if isinstance(body, str) else orjson.dumps(body).decode()
    return text.encode(), "text/plain; charset=utf-8"


def retry_after_s(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header (number or date), at most a day; None if absent."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return min(float(value), LONGEST_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - clock.now()).total_seconds(), 0.0), LONGEST_RETRY_AFTER_S)


def _raise_for_status(response: HttpResponse, host: str) -> None:
    status = response.status
    if status < 400:
        return
    message = f"{host} answers {status}: {_text(response)[:300]}".rstrip(": ")
    if status in RETRYABLE or (status >= 500 and status not in FINAL_5XX):
        raise RetryableError(
            message,
            code=f"http_{status}",
            retry_after_s=retry_after_s(_header(response, "retry-after")),
            uncertain=status in UNCERTAIN,
        )
    raise PermanentError(message, code=f"http_{status}")


def _output(response: HttpResponse) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return {"status": response.status, "headers": headers, "body": _parsed(response)}


def _parsed(response: HttpResponse) -> Any:
    kind = _content_type(response).get_content_type()
    if response.body and (kind == "application/json" or kind.endswith("+json")):
        try:
            return parse_json(response.body)
        except UnreadableInput:
            # The content type is a claim; what cannot be read is kept as it came.
            return _text(response)
    return _text(response)


def _text(response: HttpResponse) -> str:
    charset = str(_content_type(response).get_param("charset") or "utf-8")
    try:
        return clean_text(response.body.decode(charset, "replace"))
    except LookupError:
        return clean_text(response.body.decode("utf-8", "replace"))


def _content_type(response: HttpResponse) -> Message:
    message = Message()
    message["Content-Type"] = _header(response, "content-type") or "text/plain"
    return message


def _header(response: HttpResponse, name: str) -> str | None:
    return next((v for key, v in response.headers.items() if key.lower() == name), None)


def _merged(headers: Mapping[str, str], over: Any) -> dict[str, str]:
    given = {str(name): str(value) for name, value in _mapping(over, "Headers").items()}
    names = {name.lower() for name in given}
    return {name: value for name, value in headers.items() if name.lower() not in names} | given


def _mapping(value: Any, label: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{label} must be fields with names and values.")
    return value


def _parameter(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _timeout(value: Any) -> float:
    try:
        return min(max(float(value or 30), 1.0), 300.0)
    except (TypeError, ValueError) as error:
        raise ConfigurationError("The longest wait must be a number of seconds.") from error


def _pretend(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": 200, "headers": {}, "body": {"pretended": True}}


HTTP_REQUEST = Action(
    key="http_request",
    version=1,
    title="Call a web address",
    sentence="{method}: {url}",
    description="Sends a request to another system and reads its answer. "
    "Every new try carries the same Idempotency-Key, so the other system can see a repeat.",
    category="data",
    icon="globe",
    config_schema=_CONFIG,
    output_schema=_OUTPUT,
    example={"method": "POST", "url": "https://crm.example.com/leads", "body": {"score": 80}},
    sample_output={
        "status": 200,
        "headers": {"content-type": "application/json"},
        "body": {"id": 1001},
    },
    delivery=Delivery.IDEMPOTENT_KEY,
    run=_run,
    pretend=_pretend,
    # The client ends a call by the step's own setting; this is the far end.
    timeout_s=310.0,
    credential_types=("api_key", "bearer", "basic", "custom"),
)

ACTIONS = (HTTP_REQUEST,)
