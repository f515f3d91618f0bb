from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import OperationalError, connections, transaction

from leadsend.lib import ids, postgres
from leadsend.lib.errors import InvalidInput, TooManyRequests, Unavailable
from triggers import group_commit, inbox
from triggers.events import NewEvent
from triggers.group_commit import GroupCommit
from triggers.models import EventKey, InboxEntry, TriggerEvent


@pytest.fixture
def new_event(project):
    def make(**fields):
        given = {
            "project_id": project.pk,
            "trigger_key": "webhook",
            "trigger_type": "webhook",
            "source": "webhook:1",
            "data": {"email": "ada@example.com"},
        }
        return NewEvent(**{**given, **fields})

    return make


def counts():
    return (
        TriggerEvent.objects.count(),
        InboxEntry.objects.count(),
        EventKey.objects.count(),
    )


def test_an_accepted_event_has_its_key_and_waits_in_the_inbox(new_event):
    [accepted] = inbox.accept([new_event(dedupe_key="a", request={"method": "POST"})])

    event = TriggerEvent.objects.get(pk=accepted.event_id)
    assert event.data == {"email": "ada@example.com"}
    assert event.request == {"method": "POST"}
    assert InboxEntry.objects.get().event_id == event.pk
    assert EventKey.objects.get().event_id == event.pk
    assert accepted.answer == {"event_id": str(event.pk)}
    assert not accepted.is_repeat


def test_a_repeated_key_gets_the_first_answer_and_writes_nothing(new_event):
    [first] = inbox.accept([new_event(dedupe_key="a")])
    [second] = inbox.accept([new_event(dedupe_key="a", data={"other": 1})])

    assert second.is_repeat
    assert second.answer == first.answer
    assert counts() == (1, 1, 1)


def test_a_key_repeated_within_one_group_counts_once(new_event):
    accepted = inbox.accept([new_event(dedupe_key="a"), new_event(dedupe_key="a")])

    assert [one.is_repeat for one in accepted] == [False, True]
    assert accepted[0].event_id == accepted[1].event_id


def test_the_same_key_of_another_source_is_another_event(new_event):
    inbox.accept([new_event(dedupe_key="a"), new_event(dedupe_key="a", source="webhook:2")])

    assert counts() == (2, 2, 2)


def test_two_equal_events_without_a_key_are_two_events(new_event):
    inbox.accept([new_event(), new_event()])

    assert counts() == (2, 2, 0)


def test_saying_it_again_with_the_same_id_changes_nothing(new_event):
    event = new_event(dedupe_key="a", event_id=ids.uuid7())
    inbox.accept([event])
    [again] = inbox.accept([event])

    assert again.event_id == event.event_id
    assert not again.is_repeat
    assert counts() == (1, 1, 1)


def test_an_endless_key_is_kept_as_its_hash(new_event):
    inbox.accept([new_event(dedupe_key="k" * 5000), new_event(dedupe_key="k" * 5001)])

    assert counts() == (2, 2, 2)


def test_a_failure_of_the_caller_takes_the_event_back(new_event):
    def accept_and_fail():
        with transaction.atomic():
            inbox.accept([new_event(dedupe_key="a")])
            raise KeyError

    with pytest.raises(KeyError):
        accept_and_fail()

    assert counts() == (0, 0, 0)


def test_a_database_that_is_away_is_said_and_nothing_is_accepted(new_event, monkeypatch):
    def away(named):
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(inbox, "_store", away)
    with pytest.raises(Unavailable):
        inbox.accept([new_event()])


@pytest.mark.django_db(transaction=True)
def test_many_threads_with_one_key_make_one_event(new_event):
    def accept(number):
        try:
            return inbox.accept([new_event(dedupe_key="same", data={"n": number})])[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        accepted = list(threads.map(accept, range(40)))

    assert len({one.event_id for one in accepted}) == 1
    assert sum(not one.is_repeat for one in accepted) == 1
    assert counts() == (1, 1, 1)


def in_a_loop(use):
    async def run():
        commit = GroupCommit()
        try:
            return await use(commit)
        finally:
            await commit.close()

    return asyncio.run(run())


async def gathered(commit, new):
    return await asyncio.gather(*(commit.accept(event) for event in new), return_exceptions=True)


@pytest.mark.django_db(transaction=True)
def test_what_arrives_together_shares_commits_and_gets_its_own_answer(new_event):
    new = [new_event(dedupe_key=str(n % 100), data={"n": n % 100}) for n in range(300)]

    accepted = in_a_loop(lambda commit: gathered(commit, new))

    assert counts() == (100, 100, 100)
    assert sum(not one.is_repeat for one in accepted) == 100
    stored = dict(TriggerEvent.objects.values_list("id", "data__n"))
    assert [stored[one.event_id] for one in accepted] == [n % 100 for n in range(300)]


@pytest.mark.django_db(transaction=True)
def test_one_event_that_cannot_be_stored_does_not_take_the_others_with_it(new_event):
    new = [new_event(), new_event(project_id="not a uuid"), new_event()]
    new[1] = new_event(data={"text": "\x00"})

    accepted = in_a_loop(lambda commit: gathered(commit, new))

    assert isinstance(accepted[1], InvalidInput)
    assert counts() == (2, 2, 0)


@pytest.mark.django_db(transaction=True)
def test_a_commit_whose_answer_is_lost_is_read_again(new_event, monkeypatch):
    class LosesTheAnswer(GroupCommit):
        lost = False

        async def _store(self, named):
            accepted = await super()._store(named)
            if not self.lost:
                self.lost = True
                raise psycopg.OperationalError("answer lost")
            return accepted

    monkeypatch.setitem(globals(), "GroupCommit", LosesTheAnswer)
    new = [new_event(dedupe_key="a"), new_event()]
    accepted = in_a_loop(lambda commit: gathered(commit, new))

    assert [one.is_repeat for one in accepted] == [False, False]
    assert counts() == (2, 2, 1)


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_is_replaced_unaided(new_event):
    async def use(commit):
        await commit.accept(new_event())
        await commit._connection.close()
        return await commit.accept(new_event())

    assert not in_a_loop(use).is_repeat
    assert counts() == (2, 2, 0)


def test_an_unreachable_database_is_unavailable(new_event, monkeypatch):
    monkeypatch.setattr(postgres, "address", lambda **_: {"host": "127.0.0.1", "port": 1})

    [answer] = in_a_loop(lambda commit: gathered(commit, [new_event()]))

    assert isinstance(answer, Unavailable)
    assert answer.http_status == 503


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_ours_leaves_nobody_waiting(new_event, monkeypatch):
    class Faulty(GroupCommit):
        async def _store(self, named):
            raise KeyError("ours")

    monkeypatch.setitem(globals(), "GroupCommit", Faulty)
    accepted = in_a_loop(lambda commit: gathered(commit, [new_event(), new_event()]))

    assert [type(one) for one in accepted] == [Unavailable, Unavailable]


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_written_as_json_does_not_take_the_others_with_it(new_event):
    new = [new_event(), new_event(data={"odd": object()})]
    accepted = in_a_loop(lambda commit: gathered(commit, new))

    assert isinstance(accepted[1], InvalidInput)
    assert counts() == (1, 1, 0)


def test_large_events_do_not_share_one_huge_commit(new_event, monkeypatch):
    groups = []

    class Noting(GroupCommit):
        async def _store(self, named):
            groups.append(len(named))
            raise psycopg.DataError

    async def flood(commit):
        monkeypatch.setattr(group_commit, "LARGEST_GROUP_BYTES", 100)
        sent = [commit.accept(new_event(), size_bytes=60) for _ in range(4)]
        return await asyncio.gather(*sent, return_exceptions=True)

    monkeypatch.setitem(globals(), "GroupCommit", Noting)
    in_a_loop(flood)

    assert max(groups) == 2


def test_a_flood_is_told_to_wait(new_event, monkeypatch):
    monkeypatch.setattr(group_commit, "MAX_WAITING", 0)

    [answer] = in_a_loop(lambda commit: gathered(commit, [new_event()]))

    assert isinstance(answer, TooManyRequests)
