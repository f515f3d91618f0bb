"""Taking from the inbox: all there is, or lanes in turn once rows have piled up."""

from __future__ import annotations

import pytest
from django.db import connection

from leadsend.lib import ids, postgres
from triggers import lanes
from triggers.models import InboxEntry
from triggers.taking import Taker

pytestmark = pytest.mark.django_db


def fill(source, count):
    """Put rows of one source into the inbox; return their ids in order."""
    rows = [lanes.place(ids.uuid7(1_000 + number), source) for number in range(count)]
    InboxEntry.objects.bulk_create(InboxEntry(id=row, event_id=ids.uuid7()) for row in rows)
    return rows


def take(taker, limit):
    connection.ensure_connection()
    return [row[0] for row in taker.take(connection.connection, limit)]


def test_a_place_keeps_the_order_of_a_source_and_begins_with_it():
    first, second = (lanes.place(ids.uuid7(ms), "hook:1") for ms in (5, 6))

    assert first < second
    assert lanes.lane_start(first) == lanes.lane_start(second) < first
    event = ids.uuid7()
    assert lanes.place(event, "hook:1") == lanes.place(event, "hook:1")
    assert lanes.place(event, "hook:1") != lanes.place(event, "hook:2")


def test_a_short_inbox_is_taken_whole():
    rows = fill("a", 3) + fill("b", 2)

    assert sorted(take(Taker(), 10)) == sorted(rows)
    assert not InboxEntry.objects.exists()


def test_once_rows_have_piled_up_each_source_gets_its_share_and_the_rest_is_filled(ids_in_order):
    flood, other = fill("flood", 100), fill("other", 2)
    taker = Taker()
    seen = take(taker, 10)

    fair = take(taker, 10)

    left = [row for row in other if row not in seen]
    assert set(left) <= set(fair)
    assert len(fair) == 10
    mine = [row for row in seen + fair if row in flood]
    assert sorted(mine) == flood[: len(mine)]  # oldest first


def test_all_is_taken_in_the_end_also_with_more_sources_than_one_take_visits():
    rows = [row for number in range(40) for row in fill(f"source {number}", 3)]
    taker, taken = Taker(), []
    for _ in range(60):
        taken += take(taker, 7)

    assert sorted(taken) == sorted(rows)


def test_what_others_hold_is_passed_over(transactional_db):

    fill("a", 6)
    with postgres.connect("first") as first, postgres.connect("second") as second:
        one, two = Taker(), Taker()
        one._has_backlog = two._has_backlog = True
        with first.transaction(), second.transaction():
            mine = {row[0] for row in one.take(first, 3)}
            theirs = {row[0] for row in two.take(second, 3)}

    assert len(mine) == len(theirs) == 3
    assert not mine & theirs
