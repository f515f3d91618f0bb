from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import ProgrammingError, connection, connections

from leadsend.lib.errors import InvalidInput, Unavailable
from triggers import inbox
from triggers.events import NewEvent
from triggers.joint_commit import JointCommit
from triggers.models import TriggerEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def new_event(project):
    def make(number, **data):
        return NewEvent(
            project_id=project.pk,
            trigger_key="webhook",
            trigger_type="webhook",
            source="webhook:1",
            dedupe_key=str(number),
            data={"n": number, **data},
        )

    return make


@pytest.fixture
def groups(monkeypatch):
    """Note the sizes of commits, and hold the first one until the gate is opened."""
    sizes, store = [], inbox.accept
    gate = threading.Event()

    def accept(events):
        sizes.append(len(events))
        if len(sizes) == 1:
            gate.wait(10)
        return store(events)

    monkeypatch.setattr(inbox, "accept", accept)
    yield sizes, gate
    gate.set()


def answers_of(commit, events, groups):
    """Hand in all events from threads of their own; the first commit waits until all wait."""
    sizes, gate = groups

    def accept(event):
        try:
            return commit.accept(event)
        except (InvalidInput, Unavailable) as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(events)) as threads:
        handed_in = [threads.submit(accept, event) for event in events]
        while sum(sizes) + len(commit._waiting) < len(events):
            threading.Event().wait(0.005)
        gate.set()
        return [one.result(20) for one in handed_in]


def test_what_arrives_during_a_commit_shares_the_next_one(new_event, groups):
    answers = answers_of(JointCommit(), [new_event(number) for number in range(12)], groups)

    assert sum(groups[0]) == 12
    assert len(groups[0]) == 2
    assert TriggerEvent.objects.count() == 12
    assert {one.event_id for one in answers} == {one.pk for one in TriggerEvent.objects.all()}


def test_each_thread_gets_the_answer_to_its_own_event(new_event, groups):
    events = [new_event(number) for number in range(12)]

    answers = answers_of(JointCommit(), events, groups)

    stored = {one.pk: one.data["n"] for one in TriggerEvent.objects.all()}
    assert [stored[one.event_id] for one in answers] == list(range(12))


def test_a_key_that_comes_twice_in_one_commit_makes_one_event(new_event, groups):
    answers = answers_of(JointCommit(), [new_event(7) for _ in range(6)], groups)

    assert len({one.event_id for one in answers}) == 1
    assert [one.is_repeat for one in answers].count(False) == 1
    assert TriggerEvent.objects.count() == 1


def test_an_event_that_cannot_be_stored_takes_no_other_with_it(new_event, groups):
    events = [new_event(number, bad="\x00" if number == 3 else "") for number in range(6)]

    answers = answers_of(JointCommit(), events, groups)

    assert isinstance(answers[3], InvalidInput)
    assert TriggerEvent.objects.count() == 5
    assert [isinstance(one, InvalidInput) for one in answers].count(True) == 1


def test_all_are_refused_while_the_database_is_away(new_event, monkeypatch):
    def away(events):
        raise Unavailable(inbox.AWAY)

    monkeypatch.setattr(inbox, "accept", away)
    commit = JointCommit()

    for number in range(2):
        with pytest.raises(Unavailable):
            commit.accept(new_event(number))


def test_a_fault_of_the_schema_is_not_blamed_on_the_event(new_event, monkeypatch):
    def no_table(events):
        raise ProgrammingError("relation does not exist")

    monkeypatch.setattr(inbox, "accept", no_table)

    with pytest.raises(ProgrammingError):
        JointCommit().accept(new_event(1))


def test_a_fault_nobody_thought_of_leaves_no_thread_waiting(new_event, monkeypatch):
    begun, go = threading.Event(), threading.Event()

    def broken(events):
        begun.set()
        go.wait(10)
        raise RuntimeError("unexpected")

    monkeypatch.setattr(inbox, "accept", broken)
    commit = JointCommit()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(commit.accept, new_event(1))
        begun.wait(10)
        go.set()
        with pytest.raises(RuntimeError):
            first.result(10)

    with pytest.raises(RuntimeError):
        commit.accept(new_event(2))


def test_who_waits_for_a_commit_holds_no_connection(new_event, monkeypatch):
    held = []

    def away(events):
        held.append(connection.connection)
        raise Unavailable(inbox.AWAY)

    monkeypatch.setattr(inbox, "accept", away)
    connection.ensure_connection()

    with pytest.raises(Unavailable):
        JointCommit().accept(new_event(1))

    assert held == [None]
