"""Checks that a webhook comes from whom it says, over the raw bytes and in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leadsend.lib.errors import InvalidInput, SignatureRefused
from triggers.models import AuthMode

TOLERANCE_S = 300
STANDARD_PREFIX = "whsec_"
_SECRET_BYTES = 32
_ALGORITHMS: Mapping[str, Callable[..., Any]] = {
    "sha256": hashlib.sha256,
    "sha1": hashlib.sha1,
    "sha512": hashlib.sha512,
}
DEFAULT_HEADERS = {AuthMode.HMAC: "X-Signature", AuthMode.HEADER: "X-Webhook-Secret"}
# How known senders sign, as their documents say.
PRESETS: Mapping[str, Mapping[str, str]] = {
    AuthMode.GITHUB: {"header": "X-Hub-Signature-256", "prefix": "sha256="},
    AuthMode.SHOPIFY: {"header": "X-Shopify-Hmac-Sha256", "encoding": "base64"},
}
_STRIPE, _SLACK = "stripe-signature", "x-slack-signature"
_SHORTEST_SECRET, _LONGEST_SECRET = 16, 200


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request, and what it is checked by."""

    cfg: Mapping[str, Any]
    secrets_now: Sequence[str]
    headers: Mapping[str, str]
    body: bytes
    now: datetime


def verify(
    *,
    mode: str,
    cfg: Mapping[str, Any],
    secrets_now: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> None:
    """Return when the request proves that it was made by a holder of one of the secrets.

    ``headers`` have lower-case names; ``secrets_now`` are two during a rotation. Raises
    SignatureRefused, with the same words whichever secret was tried.
    """
    if mode == AuthMode.NONE:
        return
    check = _CHECKS.get(AuthMode(mode), _check_hmac)
    check(_Sent(PRESETS.get(mode, cfg), secrets_now, headers, body, now))


def new_secret(mode: str) -> str:
    """Return a fresh secret for an endpoint of this mode, or "" where none is needed."""
    if mode == AuthMode.NONE:
        return ""
    if mode == AuthMode.STANDARD_WEBHOOKS:
        return STANDARD_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    return secrets.token_urlsafe(_SECRET_BYTES)


def check_secret(mode: str, secret: str) -> None:
    """Raise InvalidInput for what cannot be the secret of an endpoint of this mode."""
    if mode == AuthMode.NONE:
        raise InvalidInput("This webhook takes everything: it has no secret to be set.")
    if not _SHORTEST_SECRET <= len(secret) <= _LONGEST_SECRET or not secret.isprintable():
        raise InvalidInput(
            f"A secret has {_SHORTEST_SECRET} to {_LONGEST_SECRET} characters: copy it whole."
        )
    if mode == AuthMode.STANDARD_WEBHOOKS:
        try:
            _key_of(secret)
        except ValueError as error:
            raise InvalidInput(
                "A secret of Standard Webhooks is base64 behind whsec_: copy it whole."
            ) from error


def proof_headers(mode: str, cfg: Mapping[str, Any]) -> frozenset[str]:
    """Return the lower-case names of headers that carry the proof, which are never stored."""
    names = {"authorization", "proxy-authorization", "cookie", "webhook-signature"}
    names |= {_STRIPE, _SLACK}
    if mode in PRESETS:
        names.add(PRESETS[mode]["header"].lower())
    if mode in DEFAULT_HEADERS:
        names.add(_header_name(cfg, DEFAULT_HEADERS[AuthMode(mode)]))
    return frozenset(names)


def sign(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the ``webhook-signature`` of Standard Webhooks. Raises ValueError for a bad secret."""
    content = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key_of(secret), content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _check_standard(sent: _Sent) -> None:
    message_id = sent.headers.get("webhook-id", "")
    timestamp = _timestamp("webhook-timestamp", sent.headers.get("webhook-timestamp", ""), sent.now)
    given = sent.headers.get("webhook-signature", "").split()
    if not message_id or not given:
        raise SignatureRefused("Send webhook-id, webhook-timestamp and webhook-signature along.")
    wanted = [
        sign(secret, message_id=message_id, timestamp=timestamp, body=sent.body)
        for secret in sent.secrets_now
    ]
    _refuse_unless_equal(given, wanted)


def _timestamp(name: str, text: str, now: datetime) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise SignatureRefused(f"{name} is the time in whole seconds since 1970.")
    timestamp = int(text)
    if str(timestamp) != text or abs(now.timestamp() - timestamp) > TOLERANCE_S:
        raise SignatureRefused(
            f"{name} is more than {TOLERANCE_S} seconds away from now: "
            "check the sender's clock, and sign again when sending again."
        )
    return timestamp


def _check_hmac(sent: _Sent) -> None:
    name = _header_name(sent.cfg, DEFAULT_HEADERS[AuthMode.HMAC])
    prefix = str(sent.cfg.get("prefix", ""))
    given = sent.headers.get(name, "").strip()
    if not given.startswith(prefix) or len(given) == len(prefix):
        raise SignatureRefused(f"The header {name} with the signature of the body is missing.")
    digest_of = _ALGORITHMS[sent.cfg.get("algorithm", "sha256")]
    in_hex = sent.cfg.get("encoding", "hex") == "hex"
    signature = given[len(prefix) :]
    digests = [
        hmac.new(secret.encode(), sent.body, digest_of).digest() for secret in sent.secrets_now
    ]
    wanted = [d.hex() if in_hex else base64.b64encode(d).decode() for d in digests]
    _refuse_unless_equal([signature.lower() if in_hex else signature], wanted)


def _check_stripe(sent: _Sent) -> None:
    parts = [part.strip().partition("=") for part in sent.headers.get(_STRIPE, "").split(",")]
    given = [value for name, _, value in parts if name == "v1"]
    timestamps = [value for name, _, value in parts if name == "t"]
    if not given or not timestamps:
        raise SignatureRefused("The header Stripe-Signature with t and v1 is missing.")
    timestamp = _timestamp("The time in Stripe-Signature", timestamps[0], sent.now)
    content = f"{timestamp}.".encode() + sent.body
    _refuse_unless_equal(given, [_hex_of(secret, content) for secret in sent.secrets_now])


def _check_slack(sent: _Sent) -> None:
    given = sent.headers.get(_SLACK, "").strip()
    if not given:
        raise SignatureRefused("The header X-Slack-Signature is missing.")
    name = "X-Slack-Request-Timestamp"
    timestamp = _timestamp(name, sent.headers.get(name.lower(), ""), sent.now)
    content = f"v0:{timestamp}:".encode() + sent.body
    _refuse_unless_equal([given], [f"v0={_hex_of(secret, content)}" for secret in sent.secrets_now])


def _hex_of(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def _check_header(sent: _Sent) -> None:
    name = _header_name(sent.cfg, DEFAULT_HEADERS[AuthMode.HEADER])
    given = sent.headers.get(name, "").strip()
    if not given:
        raise SignatureRefused(f"The header {name} with the secret is missing.")
    _refuse_unless_equal([given], sent.secrets_now)


def _check_basic(sent: _Sent) -> None:
    kind, _, encoded = sent.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        raise SignatureRefused("Send user name and password along (Basic authentication).")
    try:
        given = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise SignatureRefused("The authorization header cannot be read.") from error
    user = str(sent.cfg.get("user", "leadsend"))
    _refuse_unless_equal([given], [f"{user}:{secret}" for secret in sent.secrets_now])


def _refuse_unless_equal(given: Sequence[str], wanted: Sequence[str]) -> None:
    """Compare all with all, so that the time tells nothing about which one was close."""
    matches = [
        hmac.compare_digest(mine.encode("utf-8", "replace"), theirs.encode("utf-8", "replace"))
        for mine in wanted
        for theirs in given[:10]
    ]
    if not any(matches):
        raise SignatureRefused("The proof of the sender is wrong: check the secret.")


def _header_name(cfg: Mapping[str, Any], default: str) -> str:
    return str(cfg.get("header") or default).lower()


def _key_of(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("The secret is not base64 behind whsec_.") from error


_CHECKS = {
    AuthMode.STANDARD_WEBHOOKS: _check_standard,
    AuthMode.HMAC: _check_hmac,
    AuthMode.HEADER: _check_header,
    AuthMode.BASIC: _check_basic,
    AuthMode.STRIPE: _check_stripe,
    AuthMode.SLACK: _check_slack,
}
