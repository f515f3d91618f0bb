"""Rate limits and circuits: what may begin now, what comes later, and what a person may do."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from leadsend.access.models import AuditEntry
from leadsend.lib import clock, postgres
from leadsend.lib.errors import RetryableError
from registry.catalog import catalog
from runtime import circuits, executions
from runtime.draining import run_until_idle
from runtime.engine.tests.making import act
from runtime.gates import Closed, Gate, Gates
from runtime.models import Circuit, ExecutionTimer, RateLimit, StepExecution
from runtime.tests.driving import World, engine, fresh, project, publish, start, steps_of

HOST = "host:api.example.org"


@pytest.fixture
def gate(transactional_db):
    return Gate(project().pk, HOST)


def play(*acts, count=1):
    """Run ``async act(gates)`` one after the other in so many processes' gates."""

    async def all_of_them():
        found = [Gates(lambda: postgres.connect("gates")) for _ in range(count)]
        try:
            return [await act(*found) for act in acts]
        finally:
            for one in found:
                one.close()

    return asyncio.run(all_of_them())


def passing(gate, times):
    """Return an act that counts how many of so many tries get through."""

    async def act(*found):
        through, refused = 0, set()
        for number in range(times):
            try:
                await found[number % len(found)].pass_through(gate)
            except Closed as closed:
                refused.add((closed.code, closed.wait_s > 0))
            else:
                through += 1
        assert refused <= {("rate_limited", True)}
        return through

    return act


def reporting(gate, times, *, is_failure):
    async def act(first, *others):
        for _ in range(times):
            await first.report([gate], is_failure=is_failure, began=clock.monotonic())

    return act


def limit(amount, period_s=3600.0):
    RateLimit.objects.create(key=HOST, amount=amount, period_s=period_s, tokens=amount)


def test_what_has_no_rule_passes(gate):
    assert play(passing(gate, 30)) == [30]


def test_all_processes_together_get_what_the_limit_allows(gate):
    limit(7)

    assert play(passing(gate, 30), count=3) == [7]


def test_tokens_come_back_with_time(gate):
    limit(7)
    assert play(passing(gate, 10)) == [7]
    earlier = clock.now() - timedelta(hours=1) / 7 * 2
    RateLimit.objects.update(refilled_at=earlier)

    assert play(passing(gate, 10)) == [2]


def test_tokens_are_taken_in_bundles_where_many_are_allowed(gate):
    limit(4000, period_s=100.0)

    assert play(passing(gate, 12)) == [12]
    assert RateLimit.objects.get().tokens <= 3981


def test_twenty_failures_in_a_row_open_the_circuit_for_all_and_one_effect_tries(gate):
    async def is_closed(*found):
        try:
            await found[-1].pass_through(gate)
        except Closed as closed:
            return closed.code
        return None

    said = play(
        reporting(gate, 19, is_failure=True),
        is_closed,
        reporting(gate, 1, is_failure=True),
        count=1,
    )
    assert said[1] is None
    row = Circuit.objects.get()
    assert (row.failures, row.name) == (20, HOST)

    assert play(is_closed, count=1) == ["circuit_open"]
    Circuit.objects.update(open_until=clock.now() - timedelta(seconds=1))
    assert play(is_closed, is_closed, count=1) == [None, "circuit_open"]
    # The one that tries next succeeds: all go on.
    Circuit.objects.update(open_until=clock.now() - timedelta(seconds=1))
    assert play(is_closed, reporting(gate, 1, is_failure=False), is_closed) == [None, None, None]
    assert not Circuit.objects.exists()


def test_a_success_in_between_begins_the_count_anew(gate):
    play(
        reporting(gate, 19, is_failure=True),
        reporting(gate, 1, is_failure=False),
        reporting(gate, 19, is_failure=True),
    )

    assert Circuit.objects.get().failures == 19


def test_a_burst_of_mixed_outcomes_opens_no_circuit(gate):
    """Two hundred effects of a host that fails often end at once, faster than rows are written."""
    outcomes = [number % 5 < 2 for number in range(200)]

    async def at_once(first):
        await asyncio.gather(
            *(
                first.report([gate], is_failure=is_failure, began=clock.monotonic())
                for is_failure in outcomes
            )
        )

    play(at_once, at_once)

    assert [row.failures for row in Circuit.objects.all() if row.open_until] == []


def test_hanging_calls_of_a_burst_count_nothing_once_later_ones_have_worked(gate):
    """Four hundred calls at once, of which twenty hang: five seconds later these all give up."""

    async def burst(first):
        for _ in range(380):
            await first.report([gate], is_failure=False, began=0.0)
        await first.report([gate], is_failure=False, began=4.9)
        for _ in range(20):
            await first.report([gate], is_failure=True, began=0.0)

    play(burst)

    assert not Circuit.objects.exists()


def test_failures_of_calls_that_began_after_the_last_success_count(gate):
    async def act(first):
        await first.report([gate], is_failure=False, began=4.9)
        await first.report([gate], is_failure=False, began=1.0)
        for _ in range(20):
            await first.report([gate], is_failure=True, began=5.0)

    play(act)

    assert Circuit.objects.get().open_until is not None


def test_of_many_circuits_the_longest_unused_is_forgotten(gate, monkeypatch):
    monkeypatch.setattr("runtime.gates._MOST_KNOWN", 2)
    others = [Gate(gate.project_id, f"host:{name}") for name in "abc"]

    async def act(first):
        for one in (others[0], others[1], others[0], others[2]):
            await first.report([one], is_failure=False, began=1.0)
        return [one.circuit for one in others if one.circuit in first._worked]

    assert play(act) == [[others[0].circuit, others[2].circuit]]


def test_failures_that_end_at_once_are_all_counted(gate):
    async def at_once(first):
        await asyncio.gather(
            *(first.report([gate], is_failure=True, began=clock.monotonic()) for _ in range(25))
        )

    play(at_once)

    circuit = Circuit.objects.get()
    assert circuit.failures == 25
    assert circuit.open_until is not None
    assert circuit.open_until > clock.now()


def test_failures_after_a_success_count_from_there(gate):
    async def at_once(first):
        ends = [True] * 15 + [False] + [True] * 10
        await asyncio.gather(
            *(
                first.report([gate], is_failure=is_failure, began=clock.monotonic())
                for is_failure in ends
            )
        )

    play(at_once)

    assert [(row.failures, row.open_until) for row in Circuit.objects.all()] == [(10, None)]


def test_a_database_that_is_away_opens_all_gates(gate):
    asked = []

    def away():
        asked.append(True)
        raise postgres.AWAY[0]("away")

    async def act():
        found = Gates(away)
        await found.pass_through(gate)
        await found.report([gate], is_failure=True, began=clock.monotonic())

    asyncio.run(act())

    assert len(asked) == 2  # Both asked, and neither refused.
    assert not Circuit.objects.exists()


def test_a_connection_that_opens_while_the_gates_close_is_ended(gate):
    opening, may_open, opened = threading.Event(), threading.Event(), []

    def slowly():
        opening.set()
        may_open.wait(10)
        opened.append(postgres.connect("leadsend test"))
        return opened[0]

    async def act():
        found = Gates(slowly)
        asked = asyncio.ensure_future(found.pass_through(gate))
        await asyncio.to_thread(opening.wait, 10)
        asked.cancel()
        found.close()
        may_open.set()

    asyncio.run(act())

    assert opened[0].closed


@pytest.fixture
def toll() -> Any:
    """A world in which the effect passes a gate that a test can close."""
    world: Any = World()
    world.closed = []

    async def pass_gate(ctx, inputs):
        if world.closed:
            raise world.closed.pop()
        return {"done": True}

    world.answers["send"] = pass_gate
    world.answers["fire"] = pass_gate
    return world


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["send", "fire"])
def test_a_closed_gate_makes_the_step_wait_without_costing_an_attempt(toll, action):
    execution = start(publish(act("s", action), act("after", "send")))
    toll.closed = [Closed("rate_limited", "Later.", 600.0)]

    with engine(toll) as found:
        run_until_idle(found)
        row = StepExecution.objects.of_execution(execution.pk).get()
        assert (row.status, row.attempt, row.error["code"]) == ("PENDING", 1, "rate_limited")
        assert fresh(execution).status == "WAITING"
        ExecutionTimer.objects.update(due_at=clock.now() - timedelta(seconds=1))
        StepExecution.objects.update(due_at=clock.now() - timedelta(seconds=1))
        run_until_idle(found)

    assert fresh(execution).status == "SUCCESS"
    assert steps_of(execution) == {"s": ["SUCCESS"], "after": ["SUCCESS"]}
    assert {row.attempt for row in StepExecution.objects.of_execution(execution.pk)} == {1}


@pytest.mark.django_db
def test_a_run_that_waits_at_a_gate_can_be_cancelled(toll):
    execution = start(publish(act("s", "send")))
    toll.closed = [Closed("circuit_open", "Later.", 600.0)]
    with engine(toll) as found:
        run_until_idle(found)
    executions.cancel(execution, user=None)

    assert fresh(execution).status == "CANCELLED"
    assert steps_of(execution) == {"s": ["CANCELLED"]}


class Standstill:
    """A clock that a test lets jump, as a process sees it that was held still."""

    def __init__(self):
        self.jumped_s = 0.0

    def monotonic(self):
        return clock.monotonic() + self.jumped_s


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("held_s", "counted_failures"), [(0.0, 1), (45.0, 0)])
def test_a_process_that_was_held_still_blames_nobody(monkeypatch, held_s, counted_failures):
    world, standstill = World(), Standstill()
    monkeypatch.setattr("runtime.effects.clock", standstill)

    async def held(ctx, inputs):
        await ctx.pass_gate(HOST)
        standstill.jumped_s += held_s
        raise RetryableError("No answer came.", uncertain=True)

    world.answers["fire"] = held
    execution = start(publish(act("f", "fire")))

    with engine(world) as found:
        run_until_idle(found)

    assert steps_of(execution) == {"f": ["UNCERTAIN"]}
    assert sum(row.failures for row in Circuit.objects.all()) == counted_failures


@pytest.fixture
def counted(settings):
    """A real HTTP server that counts calls; returns its address and the list of paths."""
    paths: list[str] = []

    class Counting(BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        address = f"127.0.0.1:{server.server_port}"
        settings.EGRESS_ALLOW = [address]
        yield f"http://{address}", paths
        server.shutdown()
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_a_host_gets_no_more_real_calls_than_its_limit_allows(counted):
    url, paths = counted
    name = "host:127.0.0.1"
    RateLimit.objects.create(key=name, amount=2, period_s=3600.0, tokens=2)
    cfg = {"method": "GET", "url": url}
    workflow = publish(act("call", "http_request", cfg=cfg))
    runs = [start(workflow) for _ in range(5)]

    with engine(catalog()) as found:
        run_until_idle(found)
        assert len(paths) == 2
        waiting = [run for run in runs if fresh(run).status == "WAITING"]
        assert {fresh(run).status for run in runs if run not in waiting} == {"SUCCESS"}
        steps = StepExecution.objects.filter(execution__in=[run.pk for run in waiting])
        assert {step.error["code"] for step in steps} == {"rate_limited"}
        assert len(waiting) == 3

        RateLimit.objects.update(amount=1000, tokens=1000)
        ExecutionTimer.objects.update(due_at=clock.now() - timedelta(seconds=1))
        StepExecution.objects.filter(status="PENDING").update(due_at=clock.now())
        time_to_look_again(found)
        run_until_idle(found)

    assert len(paths) == 5
    assert {fresh(run).status for run in runs} == {"SUCCESS"}


def time_to_look_again(found):
    """Let the engine's gates believe that they looked at the rules long ago."""
    found._effects._gates._seen_at = float("-inf")


@pytest.mark.django_db
def test_a_person_closes_a_circuit_once(monkeypatch):
    row = Circuit.objects.create(
        key="k", project=project(), name=HOST, failures=20, failed_at=clock.now()
    )

    for _ in range(2):
        circuits.reset(row, user=None)

    assert not Circuit.objects.exists()
    assert AuditEntry.objects.filter(act="circuit.reset").count() == 1
