from __future__ import annotations

import logging
import sys

import pytest

from leadsend.lib.logs import EventFormatter
from leadsend.lib.redaction import MASK, forgetting_secrets, register_secrets


@pytest.fixture(autouse=True)
def _own_context():
    with forgetting_secrets():
        yield


def line(message, **extra):
    record = logging.makeLogRecord(
        {"msg": message, "name": "runtime", "levelname": "INFO", **extra}
    )
    return EventFormatter().format(record)


def test_a_line_is_an_event_with_its_fields():
    text = line("step finished", ms=31, step="welcome", note="two words", created=0.0)

    assert text == (
        '1970-01-01T00:00:00.000Z INFO runtime step finished ms=31 step=welcome note="two words"'
    )


def test_secrets_are_taken_out_of_message_fields_and_traceback():
    register_secrets(["s3cret-value"])
    try:
        raise ValueError("bad s3cret-value")
    except ValueError:
        text = line("sent s3cret-value", url="/?k=s3cret-value", token="x", exc_info=sys.exc_info())

    assert "s3cret-value" not in text
    assert f"token={MASK}" in text.replace('"', "")
    assert "ValueError" in text


def test_a_line_break_cannot_forge_a_line():
    assert "\n" not in line("a\nb", who="c\r\nd")
