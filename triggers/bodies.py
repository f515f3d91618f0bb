"""Makes the data of an event out of a request's bytes, by the content type it declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.message import Message
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from xml.parsers.expat import ExpatError, ParserCreate

import xmltodict

from leadsend.lib.errors import UnreadableInput, UnsupportedContentType
from leadsend.lib.input_guard import MAX_DEPTH, clean_text, parse_json

MAX_FIELDS = 1000
_XML_KINDS = frozenset({"application/xml", "text/xml"})
_CHARSETS = {"": "utf-8", "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8"}

Reader = Callable[[bytes, str], Any]


@lru_cache(maxsize=256)
def reader_for(content_type: str) -> Reader:
    """Return what reads bodies of this type. Raises UnsupportedContentType.

    A request without a type is read as JSON, which most senders mean.
    """
    declared = Message()
    declared["content-type"] = content_type[:300] or "application/json"
    kind = declared.get_content_type()
    if kind == "application/json" or kind.endswith("+json"):
        return _json
    if kind == "application/x-www-form-urlencoded":
        return _form
    if kind in _XML_KINDS or kind.endswith("+xml"):
        return _xml
    if kind.startswith("text/"):
        return _text
    raise UnsupportedContentType(
        f"The content type {clean_text(content_type[:80])} is not read here: send "
        "application/json, application/x-www-form-urlencoded, application/xml or text/plain."
    )


def read(reader: Reader, body: bytes, content_type: str) -> dict[str, Any]:
    """Return the event's data: the fields of the body, or ``{"body": …}`` where it has none.

    Raises UnreadableInput, InputTooLarge, UnsupportedContentType (a charset).
    """
    if not body.strip():
        return {}
    value = reader(body, content_type)
    return value if isinstance(value, dict) else {"body": value}


def fields_of(query: str) -> dict[str, Any]:
    """Return the fields of a query or form; a name that comes twice has a list.

    Raises UnreadableInput for more than 1,000 fields.
    """
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace"
        )
    except ValueError as error:
        raise UnreadableInput(f"There are more than {MAX_FIELDS} fields.") from error
    fields: dict[str, Any] = {}
    for name, value in pairs:
        _add(fields, clean_text(name), clean_text(value))
    return fields


def value_at(data: Mapping[str, Any], path: str) -> str:
    """Return the text or whole number at a dotted path, as text; "" where there is none."""
    value: Any = data
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)


def _json(body: bytes, content_type: str) -> Any:
    return parse_json(body)


def _form(body: bytes, content_type: str) -> Any:
    return fields_of(_decoded(body, content_type))


def _xml(body: bytes, content_type: str) -> Any:
    """Return elements as fields: attributes as ``@name``, text beside them as ``#text``.

    An element that comes twice has a list. No declaration of a document type is read.
    """
    try:
        _check_xml(body)
        return xmltodict.parse(body)
    except (ExpatError, ValueError) as error:
        raise UnreadableInput(f"The body is not XML that is read here: {error}.") from error


def _check_xml(body: bytes) -> None:
    """Refuse nesting that later readers cannot take, and document types, which can hold bombs."""
    depth = 0

    def start(_name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise UnreadableInput(f"The XML is nested deeper than {MAX_DEPTH} levels.")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_declared: object) -> None:
        raise UnreadableInput("The XML declares a document type (DOCTYPE): leave it out.")

    parser = ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(body, True)


def _text(body: bytes, content_type: str) -> Any:
    return clean_text(_decoded(body, content_type))


def _decoded(body: bytes, content_type: str) -> str:
    declared = Message()
    declared["content-type"] = content_type[:300]
    charset = str(declared.get_param("charset") or "").lower()
    if charset in {"iso-8859-1", "latin-1", "latin1"}:
        return body.decode("latin-1")
    if charset not in _CHARSETS:
        raise UnsupportedContentType(
            f"The charset {clean_text(charset[:40])} is not read: use UTF-8."
        )
    try:
        return body.decode(_CHARSETS[charset])
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"The body is not UTF-8: bad byte at {error.start}.") from error


def _add(fields: dict[str, Any], name: str, value: str) -> None:
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]
