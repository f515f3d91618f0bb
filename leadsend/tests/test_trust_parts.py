"""The parts of trust runs that judge: a sink that counted wrong would make every run look clean."""

from __future__ import annotations

import http.client
import random

import psycopg
import pytest
from django.db import connection

from leadsend.trust import cutting_proxy
from leadsend.trust.cutting_proxy import CuttingProxy
from leadsend.trust.poisons import Poisons
from leadsend.trust.schedule import Player, at_random
from leadsend.trust.sink import Arrival, Moods, Sink, running_sink
from leadsend.trust.verdict import Gate, result_of, row_of, table_of, zero


def post(sink: Sink, *, lead: str, key: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=5)
    try:
        client.request(
            "POST", "/tell", body=b"{}", headers={"X-Lead": lead, "Idempotency-Key": key}
        )
        return client.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        client.close()


def arrived(sink: Sink, *said: tuple[float, str, str]) -> Sink:
    sink.arrivals = [Arrival(at=at, path="tell", lead="a", key=key, said=s) for at, key, s in said]
    return sink


def test_a_sink_counts_keys_and_hits():
    with running_sink() as sink:
        answers = [post(sink, lead="a", key=key) for key in ("k1", "k1", "k2")]

    assert answers == [200, 200, 200]
    assert sink.keys_of("tell") == {"a": {"k1", "k2"}}
    assert sink.hits_of("tell") == {"k1": 2, "k2": 1}


@pytest.mark.parametrize(
    ("mood", "status", "is_effect"),
    [("busy", 503, False), ("limited", 429, False), ("loses", 0, True)],
)
def test_a_sink_in_a_bad_mood_says_what_it_did(mood, status, is_effect):
    with running_sink(Moods(**{mood: 1.0})) as sink:
        answer = post(sink, lead="a", key="k")

    assert answer == status
    assert bool(sink.keys_of("tell")) is is_effect
    assert bool(sink.answers_lost("tell")) is is_effect


def test_a_retry_before_its_time_is_seen():
    sink = Sink(Moods(), 1)

    early = arrived(sink, (0.0, "k", "limited"), (2.9, "k", "ok")).too_early()
    in_time = arrived(sink, (0.0, "k", "limited"), (3.1, "k", "ok")).too_early()

    assert (early, in_time) == ([("k", 2.9)], [])


def test_silence_is_counted_from_the_begin_and_to_the_end():
    sink = arrived(Sink(Moods(), 1), (10.0, "a", "ok"), (12.0, "b", "busy"), (19.0, "c", "ok"))

    assert sink.longest_silence(0.0, 20.0) == (0.0, 10.0)


def test_the_same_seed_plans_the_same_faults():
    plans = [
        at_random(random.Random(3), {"worker": 4}, first_s=1, last_s=9)  # noqa: S311 - no secret
        for _ in range(2)
    ]

    assert plans[0] == plans[1]
    assert all(1 <= at <= 9 for at, _ in plans[0])


def test_a_fault_that_fails_fails_the_run():
    def act() -> None:
        raise RuntimeError("It could not be broken.")

    player = Player([(0.0, "act")], {"act": act})
    player.start()

    with pytest.raises(RuntimeError, match="could not be broken"):
        player.join()


def test_one_missed_gate_makes_a_run_not_clean():
    result = result_of({"lost": 1}, [zero("lost", 1), Gate(name="silence, s", value=3, most=40)])

    assert result["passed"] is False
    assert "MISSED" in table_of("T1a", result)
    assert "not clean" in row_of("T1a", result)


def test_what_the_proxy_cuts_is_committed(transactional_db):
    connection.ensure_connection()
    known = connection.get_connection_params()
    proxy = CuttingProxy(int(known["port"]), most=1, chance=1.0)
    proxy.start()
    try:
        with psycopg.connect(
            host="127.0.0.1",
            port=proxy.port,
            user=known["user"],
            password=known["password"],
            dbname=known["dbname"],
            autocommit=True,
        ) as client:
            client.execute("CREATE TABLE trust_cut (n int)")
            proxy.armed.set()
            with pytest.raises(psycopg.OperationalError):
                client.execute("INSERT INTO trust_cut VALUES (%s)", [1])
        with connection.cursor() as cursor:
            cursor.execute("SELECT n FROM trust_cut")
            stored = cursor.fetchall()
            cursor.execute("DROP TABLE trust_cut")
    finally:
        proxy.stop()

    assert stored == [(1,)]
    assert proxy.cut_queries == {"INSERT INTO trust_cut": 1}
    assert cutting_proxy._WRITES.search(b"select 1") is None


def test_a_poison_is_sent_until_it_is_accepted_and_waited_for(monkeypatch):
    monkeypatch.setattr("leadsend.trust.poisons.PAUSE_S", 0.0)
    tried = []

    def post(number, turn):
        tried.append((number, turn))
        return 202 if turn == 2 else 503

    poisons = Poisons(post)
    poisons.send()
    poisons.send()
    poisons.join()

    assert (poisons.sent, poisons.accepted) == (2, {0, 1})
    assert sorted(tried) == [(n, turn) for n in (0, 1) for turn in (0, 1, 2)]


def test_a_poison_that_nobody_takes_is_not_counted_as_accepted(monkeypatch):
    monkeypatch.setattr("leadsend.trust.poisons.PAUSE_S", 0.0)
    poisons = Poisons(lambda _number, _turn: 0)
    poisons.send()
    poisons.join()

    assert (poisons.sent, poisons.accepted) == (1, set())
