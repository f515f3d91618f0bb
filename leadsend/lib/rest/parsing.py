"""The only parser of request bodies: JSON through the input guard, never more than the limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from leadsend.lib.errors import InputTooLarge, UnreadableInput
from leadsend.lib.input_guard import parse_json


class GuardedJSONParser(BaseParser):
    """Reads JSON that can be stored; other content types have no parser and are answered 415."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the JSON value. Raises InputTooLarge before reading what is announced as larger.

        Raises UnreadableInput for what is no JSON or a connection that ends in the middle.
        """
        limit: int = settings.BODY_LIMIT_BYTES
        announced = _announced(parser_context)
        if announced > limit:
            raise _too_large(limit)
        try:
            body: bytes = stream.read(limit + 1)
        except OSError as error:
            raise UnreadableInput("The connection ended before the body was complete.") from error
        if len(body) > limit:
            raise _too_large(limit)
        return parse_json(body, max_bytes=limit)


def _announced(context: Mapping[str, Any] | None) -> int:
    request = (context or {}).get("request")
    length = request.META.get("CONTENT_LENGTH") if request is not None else None
    return int(length) if length and length.isdecimal() else 0


def _too_large(limit: int) -> InputTooLarge:
    return InputTooLarge(f"The body is too large; at most {limit} bytes are accepted.")
