"""The command that shows when a rule fires."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command


def run(*, cron="0 9 * * mon-fri", tz="Europe/Berlin", start="2026-03-27", end="2026-03-31"):
    out = StringIO()
    call_command(
        "schedule_ticks", "--cron", cron, "--tz", tz, "--from", start, "--to", end, stdout=out
    )
    return out.getvalue().splitlines()


def test_one_utc_instant_a_line():
    assert run() == ["2026-03-27T08:00:00Z", "2026-03-30T07:00:00Z"]


def test_the_start_belongs_to_it_and_the_end_does_not():
    found = run(cron="0 * * * *", start="2026-03-27T08:00:00Z", end="2026-03-27T10:00:00Z")

    assert found == ["2026-03-27T08:00:00Z", "2026-03-27T09:00:00Z"]


@pytest.mark.parametrize("wrong", [{"cron": "x"}, {"tz": "Mars/Base"}, {"start": "today"}])
def test_what_cannot_be_read_is_said(wrong):
    with pytest.raises(CommandError):
        run(**wrong)
