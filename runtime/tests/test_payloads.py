from __future__ import annotations

import json

import pytest
from django.db import connection

from leadsend.lib import ids, objects
from leadsend.lib.errors import Unavailable
from leadsend.lib.payloads import INLINE_LIMIT, Oversized, Reference, encode, opened, parsed
from runtime import outgrowing, payloads
from runtime.models import Execution, StepExecution
from runtime.tests.driving import World, drain, engine, fresh, publish, start

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_known():
    payloads.forget()
    yield
    payloads.forget()


@pytest.fixture
def away(monkeypatch):
    """Switch the storage off, and on again by ``away.pop()``."""
    state = ["away"]
    real_put, real_get = objects.put, objects.get

    def refused(act):
        def call(*given):
            if state:
                raise Unavailable("The storage is away.")
            return act(*given)

        return call

    monkeypatch.setattr(objects, "put", refused(real_put))
    monkeypatch.setattr(objects, "get", refused(real_get))
    return state


def of_size(size):
    """Return an object whose JSON has exactly so many bytes, some of them not ASCII."""
    value = {"note": "ü" + "x" * (size - 13)}
    assert len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) == size
    return value


def test_the_last_byte_decides_whether_a_value_stands_in_its_row():
    assert parsed(encode(of_size(INLINE_LIMIT))) == of_size(INLINE_LIMIT)
    with pytest.raises(Oversized) as found:
        encode(of_size(INLINE_LIMIT + 1))

    assert json.loads(found.value.data) == of_size(INLINE_LIMIT + 1)


@pytest.mark.parametrize(
    "value",
    [
        {"$payload": {"day": "2026-11-25", "sha256": "0" * 64, "bytes": 5}},
        {"$payload": {"inline": {"$payload": 1}}},
        {"$payload": None},
        {"$payload": {}, "more": 1},
        {"a": 1, "$payload": {"inline": 2}},
        [{"$payload": {"inline": 2}}],
        "$payload",
        None,
    ],
)
def test_nobody_can_pass_a_value_off_as_a_reference(value):
    # What jsonb makes of the text counts, its order of keys too.
    with connection.cursor() as cursor:
        cursor.execute("SELECT (%s::jsonb)::text", [encode(value)])
        text = cursor.fetchone()[0]

    assert parsed(text) == value
    assert opened(json.loads(text)) == value
    assert not isinstance(parsed(text), Reference)


def test_what_is_put_comes_back_and_lies_sealed_under_its_hash(make, objects_stored):
    run = make("PENDING")
    data = json.dumps(of_size(400_000)).encode()

    reference = payloads.put(data, project_id=run.project_id)

    assert payloads.get(reference, project_id=run.project_id) == data
    ciphertext = objects.get(payloads.key_of(reference, run.project_id))
    assert b"xxxxxxxx" not in ciphertext
    assert reference.size_bytes == len(data)
    assert payloads.put(data, project_id=run.project_id) == reference


def test_an_object_opens_for_its_own_project_only(make, objects_stored):
    run = make("PENDING")
    reference = payloads.put(b'{"a": 1}', project_id=run.project_id)
    stolen = objects.get(payloads.key_of(reference, run.project_id))
    other = run.pk
    objects.put(payloads.key_of(reference, other), stolen)

    with pytest.raises(payloads.LostPayload, match="sealed for another place"):
        payloads.get(reference, project_id=other)


@pytest.mark.parametrize("size", [INLINE_LIMIT - 1, INLINE_LIMIT, INLINE_LIMIT + 1])
def test_steps_read_and_write_large_values_byte_by_byte(size, objects_stored):
    world = World()
    world.answers["send"] = lambda ctx, inputs: inputs["answer"]
    cfg = {"answer": "{{ event }}"}
    workflow = publish(
        {"id": "one", "kind": "action", "action_key": "send", "cfg": cfg},
        {
            "id": "two",
            "kind": "action",
            "action_key": "send",
            "cfg": {"answer": "{{ steps.one.output }}"},
        },
    )
    event = of_size(size)
    run = start(workflow, large(event, workflow))

    drain(world)

    run = fresh(run)
    assert (run.status, run.error) == ("SUCCESS", None)
    rows = {row.step_id: row for row in StepExecution.objects.of_execution(run.pk)}
    for row in rows.values():
        is_large = isinstance(row.result_data, Reference)
        assert is_large == (size > INLINE_LIMIT)
        assert payloads.whole(row.result_data, project_id=run.project_id) == event


def large(event, workflow):
    """Return an event as accepting stores it."""
    return payloads.offloaded(event, project_id=workflow.project_id)


def test_a_run_waits_for_the_storage_and_is_not_blamed(away):
    workflow = publish({"id": "one", "kind": "action", "action_key": "send", "cfg": {}})
    away.clear()
    run = start(workflow, large(of_size(300_000), workflow))
    payloads.forget()
    away.append("away")
    world = World()

    with engine(world) as found:
        found.once()
        late = fresh(run)
        assert (late.status, late.crash_count, world.calls) == ("PENDING", 0, [])
        assert late.run_after > late.created_at
    away.clear()
    payloads.forget()
    Execution.objects.filter(pk=run.pk).update(run_after=run.created_at)
    drain(world)

    assert fresh(run).status == "SUCCESS"


def test_an_answer_is_kept_until_the_storage_takes_it(away, monkeypatch):
    workflow = publish({"id": "one", "kind": "action", "action_key": "send", "cfg": {}})
    run, small = start(workflow), start(workflow)
    world = World()
    world.answers["send"] = lambda ctx, inputs: (
        of_size(300_000) if ctx.idempotency_key == key_of(run) else {"ok": True}
    )
    monkeypatch.setattr("runtime.storing_values.LATE_PAUSE_S", 0.0)

    with engine(world) as found:
        until(found, lambda: fresh(small).status == "SUCCESS")
        assert fresh(run).status == "RUNNING"
        away.clear()
        payloads.forget()
        until(found, lambda: fresh(run).status != "RUNNING")

    assert fresh(run).status == "SUCCESS"
    assert len(world.calls) == 2


def until(found, is_so):
    for _ in range(100):
        if is_so():
            return
        if not found.once():
            found.wait(0.1)
    raise AssertionError("It does not come about.")


def key_of(run):
    return ids.idempotency_key(run.pk, "one")


def test_a_lost_object_ends_the_run_with_a_sentence(objects_stored):
    workflow = publish({"id": "one", "kind": "action", "action_key": "send", "cfg": {}})
    run = start(workflow, large(of_size(300_000), workflow))
    objects.delete(payloads.key_of(run.context_data, run.project_id))
    payloads.forget()

    drain()

    ended = fresh(run)
    assert ended.status == "FAILED"
    assert ended.error["code"] == "payload_lost"
    assert "293.0 KiB lies in the object storage" in ended.error["message"]


def test_a_run_that_grows_too_large_fails_and_names_the_step(monkeypatch):
    monkeypatch.setattr(outgrowing, "MOST_STATE_BYTES", 1_000_000)
    monkeypatch.setattr("runtime.step_rows.MOST_STATE_BYTES", 1_000_000)
    world = World()
    world.answers["send"] = lambda ctx, inputs: of_size(400_000)
    names = ["one", "two", "three", "four"]
    workflow = publish(
        *({"id": name, "kind": "action", "action_key": "send", "cfg": {}} for name in names)
    )
    run = start(workflow)

    drain(world)

    ended = fresh(run)
    assert (ended.status, ended.error["code"]) == ("FAILED", "state_too_large")
    assert "“three” gave 390.6 KiB" in ended.error["message"]
    assert len(world.calls) == 3


def test_pure_steps_that_grow_too_large_together_fail_where_it_is_too_much(monkeypatch):
    monkeypatch.setattr("runtime.step_rows.MOST_STATE_BYTES", 290_000)
    monkeypatch.setattr(outgrowing, "MOST_STATE_BYTES", 290_000)
    cfg = {"all": "{{ event.note }}"}
    workflow = publish(
        *(
            {"id": name, "kind": "action", "action_key": "echo", "cfg": cfg}
            for name in ("one", "two", "three")
        )
    )
    run = start(workflow, of_size(100_000))
    drain()

    ended = fresh(run)
    assert (ended.status, ended.error["step_id"]) == ("FAILED", "two")
    statuses = {row.step_id: row.status for row in StepExecution.objects.of_execution(run.pk)}
    assert statuses == {"one": "SUCCESS", "two": "FAILED"}


def test_an_engine_takes_only_as_many_large_runs_as_it_has_room_for(monkeypatch):
    monkeypatch.setattr("runtime.draining.MOST_HELD_BYTES", 700_000)
    workflow = publish({"id": "one", "kind": "action", "action_key": "send", "cfg": {}})
    for _ in range(3):
        start(workflow, large(of_size(300_000), workflow))

    with engine(World()) as found:
        found.once()
        assert len(found.held) == 2
    assert Execution.objects.filter(status="PENDING", crash_count=0).count() == 1 + 2
