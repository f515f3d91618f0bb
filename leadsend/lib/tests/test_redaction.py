from __future__ import annotations

import asyncio
import base64
import json
from urllib.parse import quote

import pytest

from leadsend.lib.redaction import (
    MASK,
    forgetting_secrets,
    is_secret_name,
    redact,
    redact_fields,
    redact_text,
    register_secrets,
)

CANARY = 'c4n4ry/"+ é key'


@pytest.fixture(autouse=True)
def _own_context():
    with forgetting_secrets():
        yield


def test_a_registered_secret_is_replaced_inside_longer_text():
    register_secrets([CANARY])

    assert redact_text(f"401: bad key {CANARY}!") == f"401: bad key {MASK}!"


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: quote(text, safe=""),
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: base64.b64encode(text.encode()).decode(),
    ],
)
def test_the_encoded_forms_of_a_secret_are_replaced_too(encode):
    register_secrets([CANARY])

    assert MASK in redact_text(f"echo={encode(CANARY)}")


def test_json_is_redacted_in_values_keys_and_depth():
    register_secrets(["s3cret-value"])
    output = {"a": ["x s3cret-value y", {"s3cret-value": 1}], "n": 5}

    assert redact(output) == {"a": [f"x {MASK} y", {MASK: 1}], "n": 5}


def test_a_secret_that_contains_another_is_replaced_as_a_whole():
    register_secrets(["abcd", "abcd-efgh"])

    assert redact_text("abcd-efgh") == MASK


def test_values_too_short_to_be_secrets_do_not_blacken_text():
    register_secrets(["", "a", "587"])

    assert redact_text("a mail on port 587") == "a mail on port 587"


def test_secrets_are_forgotten_after_the_step():
    with forgetting_secrets():
        register_secrets(["s3cret-value"])

    assert redact_text("s3cret-value") == "s3cret-value"


def test_secrets_of_one_step_do_not_reach_another():
    async def step(secret):
        with forgetting_secrets():
            register_secrets([secret])
            await asyncio.sleep(0)
            return redact_text("secret-one secret-two")

    async def both():
        return await asyncio.gather(step("secret-one"), step("secret-two"))

    assert asyncio.run(both()) == [f"{MASK} secret-two", f"secret-one {MASK}"]


def test_tasks_and_threads_inside_a_step_share_its_secrets():
    async def step():
        await asyncio.wait_for(_registering("secret-one"), 1)
        await asyncio.to_thread(register_secrets, ["secret-two"])
        return redact_text("secret-one secret-two")

    assert asyncio.run(step()) == f"{MASK} {MASK}"


async def _registering(secret):
    register_secrets([secret])


def test_log_fields_named_like_secrets_are_masked_whatever_they_hold():
    fields = {"api_key": "x", "headers": {"Authorization": "Bearer x"}, "port": 587, "url": "/a"}

    assert redact_fields(fields) == {
        "api_key": MASK,
        "headers": {"Authorization": MASK},
        "port": 587,
        "url": "/a",
    }


@pytest.mark.parametrize(
    "name", ["password", "SMTP_PASSWORD", "client_secret", "X-Api-Key", "access_token", "Cookie"]
)
def test_names_of_secrets_are_known(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["credential_id", "credential_type", "idempotency_key", "tokens_used", "step"]
)
def test_names_that_only_look_alike_are_left_alone(name):
    assert not is_secret_name(name)
