"""How GitHub, Shopify, Stripe and Slack sign, by the examples of their documents where there are some."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from datetime import UTC, datetime

import pytest

from leadsend.lib.errors import InvalidInput, SignatureRefused
from triggers import endpoints, signatures
from triggers.hooks import HookRequest, challenge, event_of
from triggers.models import WebhookEndpoint
from triggers.tests.conftest import NOW

SECRET = "whsec_a-secret-of-a-test"
BODY = b'{"id": "evt_1", "type": "charge"}'
SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
    b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def check(mode, headers, *, body=BODY, secrets=(SECRET,), now=NOW):
    signatures.verify(mode=mode, cfg={}, secrets_now=secrets, headers=headers, body=body, now=now)


def hex_of(content, secret=SECRET):
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def signed_by(mode, body=BODY, secret=SECRET, at=NOW):
    """Return the headers that this sender sends with a body."""
    stamp = int(at.timestamp())
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    match mode:
        case "github":
            return {"x-hub-signature-256": f"sha256={digest.hex()}"}
        case "shopify":
            return {"x-shopify-hmac-sha256": base64.b64encode(digest).decode()}
        case "stripe":
            mine = hex_of(f"{stamp}.".encode() + body, secret)
            return {"stripe-signature": f"t={stamp},v1={mine},v0=6ffbb59b"}
        case _:
            mine = hex_of(f"v0:{stamp}:".encode() + body, secret)
            return {"x-slack-request-timestamp": str(stamp), "x-slack-signature": f"v0={mine}"}


SENDERS = ["github", "shopify", "stripe", "slack"]


def test_the_example_in_the_documents_of_github_is_accepted():
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

    check(
        "github",
        {"x-hub-signature-256": signature},
        body=b"Hello, World!",
        secrets=["It's a Secret to Everybody"],
    )


def test_the_example_in_the_documents_of_slack_is_accepted():
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"

    check(
        "slack",
        {"x-slack-request-timestamp": "1531420618", "x-slack-signature": signature},
        body=SLACK_BODY,
        secrets=[SLACK_SECRET],
        now=datetime.fromtimestamp(1531420618, tz=UTC),
    )


@pytest.mark.parametrize("mode", SENDERS)
def test_what_a_known_sender_signs_is_accepted_also_with_the_secret_before(mode):
    check(mode, signed_by(mode))
    check(mode, signed_by(mode), secrets=["a-newer-secret-of-a-test", SECRET])


@pytest.mark.parametrize("mode", SENDERS)
def test_one_changed_bit_is_refused(mode):
    chance = random.Random(1)  # noqa: S311 - the same bits each time
    headers = signed_by(mode)
    for _ in range(1000):
        raw = bytearray(BODY)
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        with pytest.raises(SignatureRefused):
            check(mode, headers, body=bytes(raw))


@pytest.mark.parametrize("mode", SENDERS)
def test_what_is_missing_or_of_another_secret_is_refused(mode):
    with pytest.raises(SignatureRefused):
        check(mode, {})
    with pytest.raises(SignatureRefused, match="check the secret"):
        check(mode, signed_by(mode, secret="another-secret-of-a-test"))


@pytest.mark.parametrize("mode", ["stripe", "slack"])
@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_message_is_refused(mode, seconds):
    at = datetime.fromtimestamp(NOW.timestamp() + seconds, tz=UTC)
    with pytest.raises(SignatureRefused, match="clock"):
        check(mode, signed_by(mode, at=at))


@pytest.mark.parametrize("mode", SENDERS)
def test_no_proof_is_kept(mode):
    assert set(signed_by(mode)) - {"x-slack-request-timestamp"} <= signatures.proof_headers(
        mode, {}
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("mode", "headers", "key"),
    [
        ("github", {"x-github-delivery": "72d3162e"}, "72d3162e"),
        ("shopify", {"x-shopify-webhook-id": "b54557e4"}, "b54557e4"),
        ("shopify", {"x-shopify-webhook-id": "b5", "x-shopify-event-id": "98880550"}, "98880550"),
        ("stripe", {}, "evt_1"),
        ("slack", {}, None),
    ],
)
def test_the_identity_of_an_event_is_where_the_sender_puts_it(make_endpoint, mode, headers, key):
    made = make_endpoint(mode=mode)
    endpoint = endpoints.load(made.token)
    assert endpoint is not None
    sent = {**signed_by(mode, secret=made.secret), **headers}
    request = HookRequest(token=made.token, method="POST", headers=sent, query="", ip="")

    event = event_of(endpoint, request, BODY, reader=lambda body, kind: {"id": "evt_1"}, now=NOW)

    assert event.dedupe_key == key


@pytest.mark.django_db
def test_slack_is_told_that_the_address_is_its_owners(make_endpoint):
    endpoint = endpoints.load(make_endpoint(mode="slack").token)
    assert endpoint is not None

    said = challenge(endpoint, {"type": "url_verification", "challenge": "3eZbrw1a"})

    assert said is not None
    assert (said.status, said.body) == (200, b'{"challenge":"3eZbrw1a"}')
    assert challenge(endpoint, {"type": "event_callback", "challenge": "3eZbrw1a"}) is None


@pytest.mark.django_db
def test_a_secret_that_the_sender_made_is_taken_and_the_old_one_stays_good(make_endpoint):
    row = make_endpoint(mode="stripe")

    assert endpoints.rotate(row, secret=SECRET) == SECRET

    loaded = endpoints.load(row.token)
    assert loaded is not None
    assert loaded.secrets_at(NOW) == (SECRET, row.secret)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("mode", "secret"),
    [
        ("stripe", "short"),
        ("stripe", "x" * 201),
        ("slack", "with a\nline of its own"),
        ("standard_webhooks", "whsec_not base64 at all!"),
        ("none", "a-secret-of-a-test"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_and_nothing_changes(make_endpoint, mode, secret):
    row = make_endpoint(mode=mode)
    before = WebhookEndpoint.objects.get().sealed_secret

    with pytest.raises(InvalidInput):
        endpoints.rotate(row, secret=secret)

    assert WebhookEndpoint.objects.get().sealed_secret == before
