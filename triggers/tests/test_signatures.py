from __future__ import annotations

import base64
import hashlib
import hmac
import random
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from leadsend.lib import clock
from leadsend.lib.errors import SignatureRefused
from triggers import signatures
from triggers.tests.conftest import NOW, signed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'


def check(headers, *, body=BODY, secrets=(SECRET,), mode="standard_webhooks", cfg=None, now=NOW):
    signatures.verify(
        mode=mode, cfg=cfg or {}, secrets_now=secrets, headers=headers, body=body, now=now
    )


def test_the_vector_of_the_standard_gives_its_signature():
    made = signatures.sign(
        SECRET, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=BODY
    )

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_the_reference_library_signs_is_accepted():
    stamp = NOW.replace(microsecond=0)
    made = Webhook(SECRET).sign("msg_1", stamp, BODY.decode())

    check({"webhook-id": "msg_1", "webhook-timestamp": f"{NOW:%s}", "webhook-signature": made})


def test_what_we_sign_the_reference_library_accepts():
    now = clock.now()
    assert Webhook(SECRET).verify(BODY, signed(SECRET, BODY, at=now)) == {"test": 2432232314}


def test_one_changed_bit_anywhere_is_refused():
    good = signed(SECRET, BODY, at=NOW)
    chance = random.Random(1)  # noqa: S311 - the same bits each time
    refused = 0
    for _ in range(1000):
        headers, body = _with_one_bit_changed(good, BODY, chance)
        with pytest.raises(SignatureRefused):
            check(headers, body=body)
        refused += 1

    assert refused == 1000


def _with_one_bit_changed(headers, body, chance):
    place = chance.choice(["body", "webhook-id", "webhook-timestamp", "webhook-signature"])
    raw = bytearray(body if place == "body" else headers[place].encode())
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(7)
    if place == "body":
        return headers, bytes(raw)
    return {**headers, place: raw.decode("latin-1")}, body


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_clock_that_is_five_minutes_off_is_refused(seconds):
    headers = signed(SECRET, BODY, at=NOW + timedelta(seconds=seconds))
    with pytest.raises(SignatureRefused, match="clock"):
        check(headers)


@pytest.mark.parametrize("seconds", [-299, 299])
def test_a_clock_that_is_nearly_right_is_accepted(seconds):
    check(signed(SECRET, BODY, at=NOW + timedelta(seconds=seconds)))


def test_old_and_new_secret_are_both_good_during_a_rotation():
    new = signatures.new_secret("standard_webhooks")
    check(signed(SECRET, BODY, at=NOW), secrets=(new, SECRET))
    check(signed(new, BODY, at=NOW), secrets=(new, SECRET))
    with pytest.raises(SignatureRefused):
        check(signed(SECRET, BODY, at=NOW), secrets=(new,))


def test_one_of_several_signatures_is_enough():
    headers = signed(SECRET, BODY, at=NOW)
    headers["webhook-signature"] = f"v1,AAAA {headers['webhook-signature']}"
    check(headers)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(missing):
    headers = signed(SECRET, BODY, at=NOW)
    del headers[missing]
    with pytest.raises(SignatureRefused):
        check(headers)


@pytest.mark.parametrize(
    ("algorithm", "encoding"), [("sha256", "hex"), ("sha1", "hex"), ("sha512", "base64")]
)
def test_hmac_is_accepted_in_the_form_that_is_set(algorithm, encoding):
    cfg = {"header": "X-Hub-Signature", "algorithm": algorithm, "encoding": encoding}
    cfg["prefix"] = f"{algorithm}="
    digest = hmac.new(b"key", BODY, getattr(hashlib, algorithm)).digest()
    text = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    headers = {"x-hub-signature": f"{algorithm}={text}"}

    check(headers, mode="hmac", cfg=cfg, secrets=("key",))
    for bad in ({}, {"x-hub-signature": text}, {"x-hub-signature": f"{algorithm}="}):
        with pytest.raises(SignatureRefused):
            check(bad, mode="hmac", cfg=cfg, secrets=("key",))
    with pytest.raises(SignatureRefused):
        check(headers, body=BODY + b" ", mode="hmac", cfg=cfg, secrets=("key",))


def test_a_secret_header_is_compared_whole():
    check({"x-webhook-secret": "abc"}, mode="header", secrets=("abc",))
    for bad in ({}, {"x-webhook-secret": "ab"}, {"x-webhook-secret": "abcd"}):
        with pytest.raises(SignatureRefused):
            check(bad, mode="header", secrets=("abc",))


@pytest.mark.parametrize("given", ["", "Basic", "Basic !!", "Basic 4pi6", "Bearer abc"])
def test_basic_authentication_refuses_what_it_cannot_read(given):
    with pytest.raises(SignatureRefused):
        check({"authorization": given}, mode="basic", secrets=("abc",))


def test_basic_authentication_takes_name_and_password():
    pair = base64.b64encode(b"shop:abc").decode()
    check({"authorization": f"Basic {pair}"}, mode="basic", cfg={"user": "shop"}, secrets=("abc",))


def test_secrets_are_long_and_differ():
    made = {signatures.new_secret("standard_webhooks") for _ in range(10)}

    assert len(made) == 10
    assert all(len(base64.b64decode(one.removeprefix("whsec_"))) >= 24 for one in made)
    assert signatures.new_secret("none") == ""
