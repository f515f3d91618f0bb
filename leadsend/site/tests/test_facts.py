"""Data in words."""

from __future__ import annotations

from leadsend.site.facts import MAX_FACTS, Fact, facts_of


def test_parts_within_parts_are_named_after_each_other():
    value = {"new": {"first_name": "Ada", "ok": True}, "tags": ["a", 2], "none": None}

    assert facts_of(value) == [
        Fact("New › First name", "Ada"),
        Fact("New › Ok", "Yes"),
        Fact("Tags", "a, 2"),
        Fact("None", "–"),
    ]


def test_lists_of_objects_are_numbered():
    assert facts_of([{"a": 1}, {"a": 2}]) == [Fact("1 › A", "1"), Fact("2 › A", "2")]


def test_ids_are_for_programs_and_left_out():
    some = "01a20fa5-3521-7230-9530-13503b266bf4"
    value = {"task_id": some, "message_id": f"<{some}@acme>", "status": "PENDING"}

    assert facts_of(value) == [Fact("Status", "Pending")]


def test_nothing_gives_no_lines_and_much_is_cut():
    many = facts_of({str(number): number for number in range(1000)})

    assert facts_of(None) == []
    assert len(many) == MAX_FACTS + 1
    assert len(facts_of("x" * 10_000)[0].text) < 2100


def test_deep_data_comes_to_an_end():
    value: object = []
    for _ in range(400):
        value = {"a": value, "b": [value]}

    assert facts_of(value)
