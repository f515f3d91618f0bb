"""Programs that send to a webhook, ready to be copied: they sign as its endpoint checks.

Secrets are never written into them: they are asked for in the environment.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from triggers import endpoints
from triggers.models import AuthMode, WebhookEndpoint
from triggers.signatures import DEFAULT_HEADERS, PRESETS

EVENT: Mapping[str, Any] = {"email": "ada@example.com", "name": "Ada Byron"}
SECRET_VARIABLE = "WEBHOOK_SECRET"  # noqa: S105 - the name of a variable

_PYTHON = """\
import base64, hashlib, hmac, json, os, time, urllib.request, uuid

url = {url}
body = json.dumps({event}).encode()
headers = {{"Content-Type": "application/json"}}
{proof}
request = urllib.request.Request(url, body, headers, method={method})
with urllib.request.urlopen(request) as answer:
    print(answer.status, answer.read().decode())
"""
_SECRET = f"""\
# Shown once: when the workflow is published, or its secret is made anew.
secret = os.environ["{SECRET_VARIABLE}"]"""
_STANDARD = """\
key = base64.b64decode(secret.removeprefix("whsec_"))
message_id, sent_at = str(uuid.uuid4()), str(int(time.time()))
signed = f"{message_id}.{sent_at}.".encode() + body
digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
headers["webhook-id"], headers["webhook-timestamp"] = message_id, sent_at
headers["webhook-signature"] = "v1," + digest"""
_STRIPE = """\
sent_at = str(int(time.time()))
digest = hmac.new(secret.encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
headers["Stripe-Signature"] = f"t={sent_at},v1={digest}\""""
_SLACK = """\
sent_at = str(int(time.time()))
digest = hmac.new(secret.encode(), f"v0:{sent_at}:".encode() + body, hashlib.sha256).hexdigest()
headers["X-Slack-Request-Timestamp"] = sent_at
headers["X-Slack-Signature"] = f"v0={digest}\""""


def samples_of(endpoint: WebhookEndpoint) -> dict[str, str]:
    """Return ``python`` for every endpoint, ``curl`` where nothing is signed, ``html`` if open.

    What can send a form without a proof is a web page; what must sign is no business of one.
    """
    samples = {"python": _python(endpoint)}
    if endpoint.auth_mode in _CURL:
        samples["curl"] = _curl(endpoint)
    if endpoint.auth_mode == AuthMode.NONE and "POST" in endpoint.methods:
        samples["html"] = _html(endpoint)
    return samples


def _python(endpoint: WebhookEndpoint) -> str:
    proof = _PROOFS.get(AuthMode(endpoint.auth_mode), _hmac)(endpoint.auth_mode, endpoint.auth_cfg)
    return _PYTHON.format(
        url=json.dumps(endpoints.address(endpoint)),
        event=json.dumps(EVENT),
        proof=f"{_SECRET}\n{proof}" if proof else "",
        method=json.dumps(endpoint.methods[0]),
    )


def _hmac(mode: str, cfg: Mapping[str, Any]) -> str:
    cfg = PRESETS.get(mode, cfg)
    header = cfg.get("header") or DEFAULT_HEADERS[AuthMode.HMAC]
    digest = f"hmac.new(secret.encode(), body, hashlib.{cfg.get('algorithm', 'sha256')})"
    in_hex = cfg.get("encoding", "hex") == "hex"
    text = f"{digest}.hexdigest()" if in_hex else f"base64.b64encode({digest}.digest()).decode()"
    return f"headers[{json.dumps(header)}] = {json.dumps(cfg.get('prefix', ''))} + {text}"


def _header(_mode: str, cfg: Mapping[str, Any]) -> str:
    return f"headers[{json.dumps(_header_name(cfg))}] = secret"


def _basic(_mode: str, cfg: Mapping[str, Any]) -> str:
    user = json.dumps(f"{cfg.get('user', 'leadsend')}:")
    encoded = f"base64.b64encode(({user} + secret).encode()).decode()"
    return f'headers["Authorization"] = "Basic " + {encoded}'


def _curl(endpoint: WebhookEndpoint) -> str:
    parts = ["curl", "-X", endpoint.methods[0], "-H", "Content-Type: application/json"]
    parts += ["--data", json.dumps(EVENT)]
    quoted = [*map(shlex.quote, parts), *_CURL[AuthMode(endpoint.auth_mode)](endpoint.auth_cfg)]
    return " ".join([*quoted, shlex.quote(endpoints.address(endpoint))])


def _curl_header(cfg: Mapping[str, Any]) -> list[str]:
    return ["-H", f'{shlex.quote(_header_name(cfg) + ": ")}"${SECRET_VARIABLE}"']


def _curl_basic(cfg: Mapping[str, Any]) -> list[str]:
    return ["-u", f'{shlex.quote(str(cfg.get("user", "leadsend")) + ":")}"${SECRET_VARIABLE}"']


def _html(endpoint: WebhookEndpoint) -> str:
    fields = "".join(
        f'  <label>{name.capitalize()} <input name="{name}"></label>\n' for name in EVENT
    )
    address = endpoints.address(endpoint)
    return f'<form method="post" action="{address}">\n{fields}  <button>Send</button>\n</form>\n'


def _header_name(cfg: Mapping[str, Any]) -> str:
    return str(cfg.get("header") or DEFAULT_HEADERS[AuthMode.HEADER])


_PROOFS: Mapping[AuthMode, Callable[[str, Mapping[str, Any]], str]] = {
    AuthMode.STANDARD_WEBHOOKS: lambda _mode, _cfg: _STANDARD,
    AuthMode.STRIPE: lambda _mode, _cfg: _STRIPE,
    AuthMode.SLACK: lambda _mode, _cfg: _SLACK,
    AuthMode.HEADER: _header,
    AuthMode.BASIC: _basic,
    AuthMode.NONE: lambda _mode, _cfg: "",
}
_CURL: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    AuthMode.HEADER: _curl_header,
    AuthMode.BASIC: _curl_basic,
    AuthMode.NONE: lambda _cfg: [],
}
